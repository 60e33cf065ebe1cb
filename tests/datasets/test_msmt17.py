from __future__ import annotations

import os

import pytest

from reidzoo.datasets import MSMT17
from reidzoo.errors import DatasetError

PARTS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}


@pytest.mark.parametrize("folder", [f for f in MSMT17.folders if "V" in f] + ["MSMT17", "msmt17"])
def test_records_of_both_versions(tmp_path, msmt17, folder):
    train, test = PARTS["V2" if folder.endswith("V2") else "V1"]
    msmt17(tmp_path / folder, train, test)
    dataset = MSMT17(tmp_path)
    expected = [(0, 0, 0, 0, -1), (1, 14, 0, 1, -1), (1, 1, 0, 2, -1)]
    assert [record[1:] for record in dataset.train] == expected
    assert [record[1:] for record in dataset.query] == [(0, 2, 0, 0, -1)]
    assert [record[1:] for record in dataset.gallery] == [(0, 3, 0, 1, -1), (1, 4, 0, 1, -1)]
    assert dataset.query[0].path == os.path.join(tmp_path, folder, test, "0000/0000_000_03_0303morning_0008_0.jpg")


def test_version_1_first_unless_the_folder_says_otherwise(tmp_path, msmt17):
    msmt17(tmp_path / "MSMT17_V1")
    msmt17(tmp_path / "MSMT17_V2", *PARTS["V2"])
    assert MSMT17(tmp_path).folder.endswith("V1")
    assert "mask_train_v2" in MSMT17(tmp_path, folder="MSMT17_V2").train[0].path


def test_message_names_both_layouts(tmp_path):
    with pytest.raises(DatasetError) as caught:
        MSMT17(tmp_path)
    for part in ("train or mask_train_v2", "test or mask_test_v2", "list_train.txt", "list_gallery.txt"):
        assert part in str(caught.value)


def test_listed_images_must_be_there(tmp_path, msmt17):
    folder = msmt17(tmp_path / "MSMT17_V1")
    (folder / "train/0001/0001_001_15_0113noon_0008_1.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 of the 2 images that .*list_train.txt names are not there: .*0001_001"):
        assert MSMT17(tmp_path).train


@pytest.mark.parametrize("line", ["0000/0000_000_01.jpg 0", "0000/0000_000_01_0303morning_0015_0.jpg", "a b c"])
def test_malformed_list_is_an_error_with_its_line(tmp_path, msmt17, line):
    folder = msmt17(tmp_path / "MSMT17_V1")
    with open(folder / "list_query.txt", "a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(DatasetError, match=r"list_query\.txt:3: expected"):
        assert MSMT17(tmp_path).query
