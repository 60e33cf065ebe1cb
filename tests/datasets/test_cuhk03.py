from __future__ import annotations

import json

import pytest

from reidzoo.datasets import CUHK03
from reidzoo.errors import ConfigError, DatasetError

PEOPLE = [(1, 1), (1, 2), (1, 843), (2, 1), (3, 7), (4, 1)]


def lay_out(touch, folder, boxes="labeled"):
    names = [
        f"{pair}_{n:03d}_{view}_{5 * (view - 1) + k:02d}.png" for pair, n in PEOPLE for view in (1, 2) for k in (1, 2)
    ]
    return touch(folder / f"images_{boxes}", names)


def write_splits(folder, tests, boxes="labeled"):
    """As torchreid writes them: paths of the machine that extracted the images."""
    splits = [
        {"query": [[f"/data/cuhk03/images_{boxes}/{pair}_{n:03d}_{view}_01.png", 0, view - 1] for view in (1, 2)
                   for pair, n in test], "num_train_pids": 3}
        for test in tests
    ]  # fmt: skip
    (folder / f"splits_classic_{boxes}.json").write_text(json.dumps(splits))


@pytest.fixture
def folder(tmp_path, touch):
    lay_out(touch, tmp_path / "cuhk03")
    write_splits(tmp_path / "cuhk03", [[(1, 2), (3, 7)], [(1, 1), (2, 1)]])
    return tmp_path / "cuhk03"


def test_records_of_a_published_split(folder, tmp_path):
    dataset = CUHK03(tmp_path)
    assert {record.pid for record in dataset.train} == {1001, 1843, 2001}  # the fourth pair is left out
    assert [record[1:3] for record in dataset.query] == [(1002, 0)] * 2 + [(3007, 0)] * 2
    assert [record[1:3] for record in dataset.gallery] == [(1002, 1)] * 2 + [(3007, 1)] * 2
    assert {record.camid for record in dataset.train} == {0, 1}
    assert {record.pid for record in CUHK03(tmp_path, split=1).query} == {1001, 2001}
    assert 4001 in {record.pid for record in CUHK03(tmp_path, pairs=5).train}
    assert (dataset.name, dataset.protocol, dataset.repeats) == ("CUHK03", "cuhk03", 20)


def test_a_partly_extracted_copy_is_told(folder, tmp_path, caplog):
    write_splits(folder, [[(1, 2), (3, 7), (3, 8), (4, 1)]])
    assert {record.pid for record in CUHK03(tmp_path).query} == {1002, 3007}
    (record,) = caplog.records
    assert "tests on 4 identities, of which the folder has 2" in record.getMessage()


def test_drawn_splits(folder, tmp_path):
    (folder / "splits_classic_labeled.json").unlink()
    tests = [{record.pid for record in CUHK03(tmp_path, split=k, test_identities=2).query} for k in range(8)]
    assert all(len(test) == 2 for test in tests) and len({frozenset(test) for test in tests}) > 3
    dataset = CUHK03(tmp_path, split=3, test_identities=2)
    assert {record.pid for record in dataset.gallery} == tests[3]
    assert len({record.pid for record in dataset.train}) == 3 and not {r.pid for r in dataset.train} & tests[3]


def test_detected_boxes_are_another_set(tmp_path, touch, folder):
    lay_out(touch, folder, "detected")
    write_splits(folder, [[(2, 1)]], "detected")
    dataset = CUHK03(tmp_path, boxes="detected")
    assert dataset.name == "CUHK03-detected" and {record.pid for record in dataset.query} == {2001}


def test_mistakes_are_named(tmp_path, folder):
    with pytest.raises(ConfigError, match=r"split is 2; .* has splits 0 to 1"):
        _ = CUHK03(tmp_path, split=2).train
    for arguments in ({"boxes": "drawn"}, {"split": "run:seed"}, {"split": -1}, {"pairs": 0}, {"test_identities": 0}):
        with pytest.raises(ConfigError, match=r"CUHK03: .* must be"):
            CUHK03(tmp_path, **arguments)
    for text in ("not json", "[3]", '[{"query": []}, 1]', '[{"train": []}]'):
        (folder / "splits_classic_labeled.json").write_text(text)
        with pytest.raises(DatasetError, match="splits_classic_labeled"):
            _ = CUHK03(tmp_path).train
    with pytest.raises(DatasetError, match="torchreid's CUHK03 extracts the images"):
        CUHK03(tmp_path / "elsewhere")
