from __future__ import annotations

import os

import pytest

from reidzoo.datasets import CSVDataset, Record, build_dataset
from reidzoo.errors import DatasetError

GOOD = """path,pid,camid,split,timeid,note
images/a.jpg,7,0,train,,first
images/b.jpg,-1,1,train,2,
"c, d.png",7,0,query,,
images/a.jpg,-1,3,gallery,-1,
"""


@pytest.fixture
def write(tmp_path, touch):
    touch(tmp_path / "mine", ["images/a.jpg", "images/b.jpg", "c, d.png"])

    def make(text: str, encoding: str = "utf-8") -> str:
        (tmp_path / "mine" / "people.csv").write_text(text, encoding=encoding)
        return "mine/people.csv"

    return make


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_records(tmp_path, write, encoding, caplog):
    dataset = build_dataset({"type": "CSVDataset", "file": write(GOOD, encoding)}, tmp_path)
    folder = str(tmp_path / "mine")
    assert dataset.train == [
        Record(os.path.join(folder, "images/a.jpg"), 7, 0),
        Record(os.path.join(folder, "images/b.jpg"), -1, 1, timeid=2),
    ]
    assert dataset.query == [Record(os.path.join(folder, "c, d.png"), 7, 0)]
    assert dataset.gallery == [Record(os.path.join(folder, "images/a.jpg"), -1, 3)]
    assert (dataset.name, dataset.protocol, dataset.folder) == ("people", "market1501", folder)
    assert not caplog.records


def test_absolute_paths_and_protocol(tmp_path, write):
    path = tmp_path / "mine/images/a.jpg"
    file = write(f"path,pid,camid,split\n{path},0,0,gallery\n")
    dataset = CSVDataset("/nowhere", str(tmp_path / file), protocol="camera_free")
    assert dataset.gallery == [Record(str(path), 0, 0)]
    assert dataset.protocol == "camera_free"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("images/a.jpg,seven,0,train", "pid is 'seven'; expected an integer"),
        ("images/a.jpg,-2,0,train", "pid is -2; expected -1 or more"),
        ("images/a.jpg,7,,train", "camid is ''; expected an integer"),
        ("images/a.jpg,7,-1,train", "camid is -1; expected 0 or more"),
        ("images/a.jpg,7,0,test", "split is 'test'; expected one of train, query, gallery"),
        ("images/a.jpg,7", "split is ''"),
        (",7,0,train", "the path is empty"),
        ("images/x.jpg,7,0,train\nimages/y.jpg,7,0,train", r"no such image: .*x.jpg \(and 1 more\)"),
    ],
)
def test_errors_carry_the_line(tmp_path, write, line, message):
    file = write(f"path,pid,camid,split\n\nimages/b.jpg,1,1,train\n{line}\n")
    with pytest.raises(DatasetError, match=f"people.csv:4: {message}"):
        CSVDataset(tmp_path, file)


@pytest.mark.parametrize("header", ["path,pid,split", "", "path;pid;camid;split"])
def test_missing_columns(tmp_path, write, header):
    with pytest.raises(DatasetError, match=r"people\.csv:1: no column .*camid"):
        CSVDataset(tmp_path, write(f"{header}\n"))


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match=r"no such file\. It lists the images: path,pid,camid,split"):
        CSVDataset(tmp_path, "none.csv")


def test_not_utf8(tmp_path, write):
    with pytest.raises(DatasetError, match="not a CSV file in UTF-8"):
        CSVDataset(tmp_path, write("path,pid,camid,split\nimäge.jpg,1,1,train\n", "latin-1"))
