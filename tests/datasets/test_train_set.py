from __future__ import annotations

import numpy as np
import pytest

from reidzoo.datasets import Dataset, Record, TrainSet
from reidzoo.errors import DatasetError


class Listed(Dataset):
    """A dataset given as a list of (pid, camid, timeid)."""

    def __init__(self, name: str, rows: list[tuple[int, int, int]]) -> None:
        self.name, self.folder = name, f"data/{name}"
        self._records = {
            "train": [Record(f"data/{name}/train/{i}.jpg", p, c, timeid=t) for i, (p, c, t) in enumerate(rows)]
        }


FIRST = Listed("first", [(9, 0, -1), (2, 3, -1), (9, 1, -1), (-1, 0, -1)])
SECOND = Listed("second", [(5, 1, 2), (0, 0, 0)])


def test_columns_of_two_datasets():
    table = TrainSet([FIRST, SECOND])
    assert len(table) == 6
    assert table.num_classes == 4
    np.testing.assert_array_equal(table.pids, [1, 0, 1, -1, 3, 2])
    np.testing.assert_array_equal(table.camids, [0, 3, 1, 0, 5, 4])
    np.testing.assert_array_equal(table.domains, [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(table.timeids, [-1, -1, -1, -1, 2, 0])
    np.testing.assert_array_equal(table.viewids, [-1] * 6)
    for column in (table.pids, table.camids, table.domains, table.timeids, table.viewids):
        assert column.dtype == np.int64
        assert column.flags["C_CONTIGUOUS"]
    assert table.records == FIRST.train + SECOND.train
    assert table.paths[4] == "data/second/train/0.jpg"


def test_against_a_plain_transcription():
    generator = np.random.default_rng(0)
    datasets = [
        Listed(
            name, list(zip(generator.integers(-1, 20, 60).tolist(), generator.integers(0, 5, 60).tolist(), [0] * 60))
        )
        for name in "abc"
    ]
    table = TrainSet(datasets)
    pids, first = [], 0
    for dataset in datasets:
        ids = sorted({r.pid for r in dataset.train if r.pid >= 0})
        pids += [first + ids.index(r.pid) if r.pid >= 0 else -1 for r in dataset.train]
        first += len(ids)
    assert table.pids.tolist() == pids
    assert table.num_classes == first


def test_folder_and_relative_path():
    table = TrainSet([FIRST, SECOND])
    assert (table.folder_of(3), table.relative_path(3)) == ("data/first", "train/3.jpg")
    assert (table.folder_of(4), table.relative_path(4)) == ("data/second", "train/0.jpg")


def test_without_labels():
    table = TrainSet([Listed("plain", [(-1, 0, 0), (-1, 1, 0)])])
    assert table.num_classes == 0
    assert table.pids.tolist() == [-1, -1]


def test_an_unlabelled_dataset_takes_no_classes_and_its_cameras_stay_apart():
    table = TrainSet([Listed("plain", [(-1, 6, 0)]), SECOND])
    assert table.pids.tolist() == [-1, 1, 0]
    assert table.camids.tolist() == [6, 8, 7]


def test_relabel():
    table = TrainSet([FIRST, SECOND])
    labels = np.array([0, 0, 2, -1, 1, -1], dtype=np.int32)
    table.relabel(labels)
    labels[0] = 7
    assert table.pids.tolist() == [0, 0, 2, -1, 1, -1]
    assert table.pids.dtype == np.int64
    assert table.num_classes == 3
    assert table.records == FIRST.train + SECOND.train
    table.relabel([-1] * 6)
    assert table.num_classes == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"expected 6 integer labels, one per image; got int64 \(2,\)"),
        ([0.0] * 6, "got float64"),
        ([0, -2, 0, 0, 0, 0], "-1 or more, got -2"),
        ([0, 2, 4, 4, -1, -1], "2 of the 5 classes have no image: 1, 3"),
    ],
)
def test_relabel_refuses(labels, message):
    table = TrainSet([FIRST, SECOND])
    before = table.pids.copy()
    with pytest.raises(ValueError, match=message):
        table.relabel(labels)
    np.testing.assert_array_equal(table.pids, before)


def test_no_images():
    with pytest.raises(DatasetError, match="no dataset is named"):
        TrainSet([])
    with pytest.raises(DatasetError, match="empty has no training image"):
        TrainSet([FIRST, Listed("empty", [])])


def test_a_path_twice():
    with pytest.raises(DatasetError, match=r"lists 2 images more than once: .*train/0.jpg.* among second, second"):
        TrainSet([SECOND, SECOND])
