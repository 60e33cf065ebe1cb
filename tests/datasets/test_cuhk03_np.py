from __future__ import annotations

import pytest

from reidzoo.datasets import CUHK03NP
from reidzoo.errors import ConfigError, DatasetError

FILES = {
    "bounding_box_train": ["0001_c1_1.png", "0001_c2_6.png", "0003_c1_2.png"],
    "query": ["0002_c1_1.png"],
    "bounding_box_test": ["0002_c2_7.png"],
}


@pytest.mark.parametrize("folder", CUHK03NP.folders)
@pytest.mark.parametrize("split", ["detected", "labeled"])
def test_records(tmp_path, market, folder, split):
    market(tmp_path / folder / split, FILES)
    dataset = CUHK03NP(tmp_path, split=split)
    assert [record[1:3] for record in dataset.train] == [(1, 0), (1, 1), (3, 0)]
    assert [record[1:3] for record in dataset.query + dataset.gallery] == [(2, 0), (2, 1)]
    assert f"/{split}/" in dataset.train[0].path
    assert dataset.name == ("CUHK03NP" if split == "detected" else "CUHK03NP-labeled")


def test_jpg_names(tmp_path, market):
    market(tmp_path / "cuhk03-np/detected", {k: [n.replace("png", "jpg") for n in v] for k, v in FILES.items()})
    assert len(CUHK03NP(tmp_path).train) == 3


def test_each_split_is_looked_for_by_itself(tmp_path, market):
    market(tmp_path / "cuhk03-np/detected", FILES)
    with pytest.raises(DatasetError, match="lacks labeled/bounding_box_train"):
        CUHK03NP(tmp_path, split="labeled")


def test_each_split_has_its_counts(tmp_path, market):
    for split in ("detected", "labeled"):
        market(tmp_path / "cuhk03-np" / split, FILES)
    assert CUHK03NP(tmp_path).published["gallery"] == (700, 5332)
    assert CUHK03NP(tmp_path, split="labeled").published["gallery"] == (700, 5328)


def test_twin_file_in_the_top_folder(tmp_path, market):
    market(tmp_path / "cuhk03-np/detected", FILES)
    (tmp_path / "cuhk03-np/twin.json").touch()
    assert CUHK03NP(tmp_path).is_twin


def test_unknown_split(tmp_path):
    with pytest.raises(ConfigError, match="detected, labeled"):
        CUHK03NP(tmp_path, split="train")
