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
        ("images/a.jpg,,0,train", "the pid is empty; write who it is, or -1 where nobody knows"),
        ("images/a.jpg,-2,0,train", "pid is -2; expected -1 or more"),
        ("images/a.jpg,7,,train", "camid is empty, in 1 of 2 rows; give the camera of all or of none"),
        ("images/a.jpg,7,-1,train", "camid is -1; expected 0 or more"),
        ("images/a.jpg,7,0,test", "split is 'test'; expected one of train, query, gallery"),
        ("images/a.jpg,7,0", "split is ''"),
        (",7,0,train", "the path is empty"),
        ("images/x.jpg,7,0,train\nimages/y.jpg,7,0,train", r"no such image: .*x.jpg \(and 1 more\)"),
    ],
)
def test_errors_carry_the_line(tmp_path, write, line, message):
    file = write(f"path,pid,camid,split\n\nimages/b.jpg,1,1,train\n{line}\n")
    with pytest.raises(DatasetError, match=f"people.csv:4: {message}"):
        CSVDataset(tmp_path, file)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_of_people_and_cameras_as_a_spreadsheet_writes_them(tmp_path, write, separator, encoding):
    lines = ["Split,PID,Path,CamID", "train,zoë,images/a.jpg,gate", "query,anna,images/b.jpg,gate",
             "gallery,anna,images/a.jpg,door", "gallery,-1,images/b.jpg,door"]  # fmt: skip
    dataset = CSVDataset(tmp_path, write("\r\n".join(lines).replace(",", separator), encoding))
    assert dataset.pid_of == {"anna": 0, "zoë": 1, "-1": -1} and dataset.camid_of == {"door": 0, "gate": 1}
    labels = [record[1:3] for split in ("train", "query", "gallery") for record in dataset.records(split)]
    assert labels == [(1, 1), (0, 1), (0, 0), (-1, 0)] and dataset.protocol == "market1501"


@pytest.mark.parametrize("header, line", [("path,pid,split", "{},7,{}"), ("path,pid,camid,split", "{},7,,{}")])
def test_cameras_may_be_unknown(tmp_path, write, header, line):
    lines = [line.format("images/a.jpg", "query"), line.format("images/b.jpg", "gallery")]
    dataset = CSVDataset(tmp_path, write("\n".join([header, *lines])))
    assert dataset.protocol == "camera_free" and {r.camid for r in dataset.query + dataset.gallery} == {0}


@pytest.mark.parametrize("header", ["path,camid,split", "", "path;camid;split"])
def test_missing_columns(tmp_path, write, header):
    with pytest.raises(DatasetError, match=r"people\.csv:1: no column .*pid"):
        CSVDataset(tmp_path, write(f"{header}\n"))


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match=r"no such file\. It lists the images: path,pid,camid,split"):
        CSVDataset(tmp_path, "none.csv")


def test_not_utf8(tmp_path, write):
    with pytest.raises(
        DatasetError, match=r"people\.csv:2: 'im\ufffdge\.jpg,1,1,train' is not in UTF-8; save the file as UTF-8"
    ):
        CSVDataset(tmp_path, write("path,pid,camid,split\nimäge.jpg,1,1,train\n", "latin-1"))
