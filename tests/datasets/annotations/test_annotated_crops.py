"""Annotated video becomes crops that FolderDataset reads, and nobody is learnt from and tested on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from reidzoo.datasets import build_dataset
from reidzoo.datasets.annotations.annotated_crops import CropRules, cut_crops
from reidzoo.datasets.annotations.mot_sequence import MOTSequence
from reidzoo.datasets.people_folder import find_people
from reidzoo.errors import DatasetError


def write_sequence(folder, lines, frames=4, name="img1"):
    """Write frames whose pixels say their column, and annotations."""
    (folder / "gt").mkdir(parents=True)
    (folder / name).mkdir()
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, :, 0] = np.arange(100)
    for frame in range(1, frames + 1):
        Image.fromarray(pixels).save(folder / name / f"{frame:06d}.png")
    (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def video(tmp_path):
    """Two cameras to learn from and one to test on; person 9 is marked as not considered, 8 is a car."""
    lines = ["1,1,10,5,20,50,1,1,1", "3,1,12,5,20,50,1,1,0.2", "4,1,14,5,20,50,1,1,0.9", "1,2,50,5,20,50,1,1,1"]
    lines += ["2,9,1,1,20,50,0,1,1", "2,8,1,1,20,50,1,3,1"]
    write_sequence(tmp_path / "v" / "train" / "a", lines)
    write_sequence(tmp_path / "v" / "train" / "b", ["1,1,80,5,40,50,1,1,1"])
    write_sequence(tmp_path / "v" / "test" / "c", ["1,5,10,5,20,50,1,1,1", "4,5,30,5,20,50,1,1,1", "2,5,1,1,9,9,1,1,1"])
    return tmp_path / "v"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))


def test_the_crops(video, tmp_path):
    counts = cut_crops(video, tmp_path / "crops", CropRules(every=2, shared_ids=True))
    assert counts == {"train": (2, 4), "query": (1, 1), "gallery": (1, 1)}
    assert names(tmp_path / "crops") == [
        "gallery/00005/c1_c_f000004.jpg",
        "query/00005/c1_c_f000001.jpg",
        "train/00001/c2_a_f000001.jpg",
        "train/00001/c2_a_f000004.jpg",
        "train/00001/c3_b_f000001.jpg",
        "train/00002/c2_a_f000001.jpg",
    ]
    with Image.open(tmp_path / "crops" / "train" / "00001" / "c3_b_f000001.jpg") as image:
        assert image.size == (20, 50), "a box ends where the image does"
        assert abs(np.asarray(image)[25, 10, 0].astype(int) - 90) < 12
    data = build_dataset({"type": "FolderDataset", "folder": "crops"}, root=tmp_path)
    assert len(data.train) == 4 and {record.camid for record in data.train} == {2, 3}


def test_numbers_are_of_their_sequence_unless_told(video, tmp_path):
    counts = cut_crops(video, tmp_path / "crops", CropRules(every=1))
    assert counts["train"][0] == 3, "person 1 of two sequences is two people"


def test_without_a_test_folder_people_are_held_out(tmp_path):
    for camera in "ab":
        lines = [f"{frame},{pid},{10 * pid},5,9,50,1,1,1" for frame in (1, 2) for pid in range(1, 6)]
        write_sequence(tmp_path / "v" / camera, lines)
    cut_crops(tmp_path / "v", tmp_path / "crops", CropRules(every=1, shared_ids=True, test_share=0.4))
    people = {
        split: {p.name for p in (tmp_path / "crops" / split).iterdir()} for split in ("train", "query", "gallery")
    }
    assert people["query"] == people["gallery"] == {"00004", "00005"}
    assert people["train"] == {"00001", "00002", "00003"}


def test_lines_of_older_files_and_the_folder_that_seqinfo_names(tmp_path):
    write_sequence(tmp_path / "s", ["1,3,1,2,30,40", ""], name="frames")
    (tmp_path / "s" / "seqinfo.ini").write_text("[Sequence]\nimDir=frames\n")
    sequence = MOTSequence(tmp_path / "s")
    assert [box.person for box in sequence.boxes()] == [3] and sorted(sequence.frames()) == [1, 2, 3, 4]


def test_a_trackers_output_says_neither_class_nor_visibility(tmp_path):
    write_sequence(tmp_path / "s", ["1,3,1,2,30,40,0.7,-1,-1,-1", "2,4,1,2,30,40,-1,-1,-1,-1", "2,5,1,2,30,40,1,3,1"])
    assert [(box.person, box.visibility) for box in MOTSequence(tmp_path / "s").boxes()] == [(3, 1.0), (4, 1.0)]


def test_boxes_of_nobody_are_left_out(tmp_path):
    write_sequence(tmp_path / "s", ["\ufeff1,-1,1,2,30,40", "1,3,1,2,30,40"])
    sequence = MOTSequence(tmp_path / "s")
    assert [box.person for box in sequence.boxes()] == [3]
    (tmp_path / "s" / "gt" / "gt.txt").write_text("1,-1,1,2,30,40\n")
    with pytest.raises(DatasetError, match=r"gt.txt: all ids are below 0"):
        sequence.boxes()


@pytest.mark.parametrize("line", [b"nan,1,1,2,3,4", b"1,inf,1,2,3,4", b"1,1,1,2,3,4,\xe9"])
def test_lines_of_no_numbers_are_named(tmp_path, line):
    write_sequence(tmp_path / "s", [])
    (tmp_path / "s" / "gt" / "gt.txt").write_bytes(b"1,1,1,2,3,4\n" + line)
    with pytest.raises(DatasetError, match=r"gt.txt:2: a line of MOT annotations is frame,id"):
        MOTSequence(tmp_path / "s").boxes()


def test_a_seqinfo_is_read_as_it_stands_or_named(tmp_path):
    write_sequence(tmp_path / "s", [], name="img%1")
    for text, message in (("imDir=img%1\n", r"no section headers.*line: 1"), ("[Sequence]\nimDir\n", "line *2")):
        (tmp_path / "s" / "seqinfo.ini").write_text(text)
        with pytest.raises(DatasetError, match=message):
            MOTSequence(tmp_path / "s").frames()
    (tmp_path / "s" / "seqinfo.ini").write_text("[Sequence]\nimDir=img%1\n")
    assert len(MOTSequence(tmp_path / "s").frames()) == 4


def test_mistakes(video, tmp_path):
    with pytest.raises(DatasetError, match="holds no annotations: neither sequences of MOTChallenge"):
        cut_crops(tmp_path / "v" / "train" / "a" / "img1", tmp_path / "crops", CropRules())
    with pytest.raises(DatasetError, match="no box"):
        cut_crops(video, tmp_path / "crops", CropRules(height=500))
    (video / "train" / "b" / "gt" / "gt.txt").write_text("1,1,80,x\n")
    with pytest.raises(DatasetError, match=r"gt.txt:1: a line of MOT annotations is frame,id"):
        cut_crops(video, tmp_path / "crops", CropRules())
    (video / "train" / "b" / "gt" / "gt.txt").write_text("77,1,80,5,40,50,1,1,1\n")
    with pytest.raises(DatasetError, match="annotated in frame 77"):
        cut_crops(video, tmp_path / "crops", CropRules())
    assert not (tmp_path / "crops").exists() and not list(tmp_path.glob(".crops*")), "nothing is left half-done"
    (tmp_path / "crops").mkdir()
    with pytest.raises(DatasetError, match="is there already"):
        cut_crops(video, tmp_path / "crops", CropRules())


def test_queries_with_nothing_to_find_them_in_are_a_mistake(video, tmp_path):
    with pytest.raises(DatasetError, match=r"queries and nothing to find them in.*--every.*--no-split"):
        cut_crops(video, tmp_path / "crops", CropRules(every=100, shared_ids=True))
    assert not (tmp_path / "crops").exists()


def test_undivided_people_are_left_to_split(video, tmp_path):
    assert cut_crops(video, tmp_path / "people", CropRules(every=2, shared_ids=True, divide=False)) == {"": (3, 6)}
    assert {image.person for image in find_people(tmp_path / "people")} == {"00001", "00002", "00005"}
