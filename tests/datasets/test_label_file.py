from __future__ import annotations

import numpy as np
import pytest

from reidzoo.datasets import Record, read_pseudo_labels, write_pseudo_labels
from reidzoo.errors import DatasetError

RECORDS = [Record("data/set/train/a.jpg", 1, 0), Record("data/set/b, c.jpg", 1, 0), Record("other/d.jpg", 1, 0)]


def test_roundtrip(tmp_path):
    path = tmp_path / "new" / "pseudo_labels.csv"
    write_pseudo_labels(path, RECORDS, np.array([0, -1, 12]), "data/set")
    assert path.read_text() == 'path,label\ntrain/a.jpg,0\n"b, c.jpg",-1\nother/d.jpg,12\n'
    assert read_pseudo_labels(path) == {"train/a.jpg": 0, "b, c.jpg": -1, "other/d.jpg": 12}
    assert [p.name for p in path.parent.iterdir()] == ["pseudo_labels.csv"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "pseudo_labels.csv"
    write_pseudo_labels(path, RECORDS, [0, 1, 2], "data/set")
    before = path.read_text()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("reidzoo.datasets.label_file.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_pseudo_labels(path, RECORDS, [2, 1, 0], "data/set")
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["pseudo_labels.csv"]


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, -2], [0.0, 1.0, 2.0]])
def test_wrong_labels_are_not_written(tmp_path, labels):
    with pytest.raises(ValueError, match="3 integer labels"):
        write_pseudo_labels(tmp_path / "labels.csv", RECORDS, labels, "data/set")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the columns are missing"),
        ("image,label\na.jpg,0\n", ":1: the columns are image,label"),
        ("path,label\na.jpg,0\nb.jpg,one\n", ":3: expected a path and a label"),
        ("path,label\na.jpg,-2\n", ":2: expected a path and a label"),
        ("path,label\n\na.jpg\n", ":3: expected a path and a label"),
        ("path,label\na.jpg,0\na.jpg,1\n", ":3: a.jpg is listed twice"),
    ],
)
def test_malformed_files(tmp_path, text, message):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=f"labels.csv{message}"):
        read_pseudo_labels(path)


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match="no such file of pseudo labels"):
        read_pseudo_labels(tmp_path / "labels.csv")
