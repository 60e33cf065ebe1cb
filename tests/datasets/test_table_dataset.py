"""A table in memory, a DataFrame or plain columns, becomes a dataset."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from reidzoo.datasets import Record, TableDataset
from reidzoo.errors import DatasetError

COLUMNS = {
    "path": ["a.jpg", "b.jpg", "c.jpg"], "pid": ["eva", "bo", "bo"], "camid": [2.0, 0.0, 2.0],
    "split": ["train", "query", "gallery"], "timeid": [None, 1.0, float("nan")], "note": [1, 2, 3],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, touch):
    return touch(tmp_path, COLUMNS["path"])


def records(dataset):
    return [*dataset.train, *dataset.query, *dataset.gallery]


@pytest.mark.parametrize("kind", ["columns", "frame"])
def test_records(folder, kind):
    table = COLUMNS if kind == "columns" else pytest.importorskip("pandas").DataFrame(COLUMNS)
    dataset = TableDataset(table, folder)
    a, b, c = (os.path.join(folder, name) for name in COLUMNS["path"])
    assert records(dataset) == [Record(a, 1, 2), Record(b, 0, 0, timeid=1), Record(c, 0, 2)]
    assert dataset.protocol == "market1501" and dataset.name == "table" and not dataset.is_twin


def test_numbers_of_torch_and_numpy(folder):
    for pids in (torch.tensor([-1, 0, 5]), np.array([-1, 0, 5], np.float32), np.array([-1, 0, 5])):
        dataset = TableDataset({**COLUMNS, "pid": pids}, folder)
        assert [record.pid for record in records(dataset)] == [-1, 0, 5], pids


class NAType:
    """As pandas.NA: comparisons with it are NA, which is neither true nor false."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize("kind", ["columns", "frame"])
def test_gaps_of_pandas_are_empty_cells(folder, kind):
    table = {**COLUMNS, "camid": [NAType()] * 3}
    if kind == "frame":
        pandas = pytest.importorskip("pandas")
        table = pandas.DataFrame(COLUMNS).assign(camid=pandas.array([None] * 3, dtype="Int64"))
    dataset = TableDataset(table, folder)
    assert dataset.protocol == "camera_free" and dataset.camid_of == {}


def test_a_number_beyond_64_bits_is_a_name_or_a_mistake(folder):
    table = {"path": ["a.jpg", "b.jpg"], "pid": ["3", str(2**63)], "split": ["train", "train"]}
    assert TableDataset(table, folder).pid_of == {"3": 0, str(2**63): 1}
    with pytest.raises(DatasetError, match=r"row 0: timeid is 1000.*at most 64 bits"):
        TableDataset({**table, "timeid": [str(10**25), "1"]}, folder)


def test_mistakes(folder):
    with pytest.raises(DatasetError, match="no column split"):
        TableDataset({"path": ["a.jpg"], "pid": [1]}, folder)
    with pytest.raises(DatasetError, match=r"different lengths.*'path': 3, 'pid': 2"):
        TableDataset({**COLUMNS, "pid": [1, 2]}, folder)
    with pytest.raises(DatasetError, match=r"row 1: no such image: .*x\.jpg"):
        TableDataset({"path": ["a.jpg", "x.jpg"], "pid": [1, 2], "split": ["train", "train"]}, folder)


def test_minus_one_is_no_camera_among_names_either(folder):
    table = {**COLUMNS, "camid": ["gate", "-1", "yard"]}
    with pytest.raises(DatasetError, match="row 1: camid is -1; expected 0 or more"):
        TableDataset(table, folder)
