"""YOLO's label files with tracks, as ultralytics and CVAT write them, become sequences."""

from __future__ import annotations

import pytest
from PIL import Image

from reidzoo.datasets.annotations.annotated_crops import CropRules, cut_crops
from reidzoo.datasets.annotations.yolo_sequence import read_yolo
from reidzoo.errors import DatasetError


def write(folder, labels, images="images", size=(100, 60), part=""):
    """Write label files and pictures of their names."""
    for stem, lines in labels.items():
        for place in (folder / "labels" / part, folder / images / part):
            place.mkdir(parents=True, exist_ok=True)
        (folder / "labels" / part / f"{stem}.txt").write_text("\n".join(lines) + "\n")
        Image.linear_gradient("L").resize(size).convert("RGB").save(folder / images / part / f"{stem}.jpg")


def test_what_track_writes(tmp_path):
    """``yolo track save_txt=True``, one box with a confidence; a box without a track has five columns, or six."""
    lines = ["0 0.5 0.5 0.2 0.8 1", "0 0.2 0.5 0.1 0.8 0.91 2", "0 0.9 0.5 0.1 0.8", "0 0.9 0.5 0.1 0.8 0.25", ""]
    write(tmp_path, {"gate_9": lines, "gate_10": ["0 0.5 0.5 0.2 0.8 1"], "door_3": ["0 0.5 0.5 0 0.8 3"]})
    door, gate = read_yolo(tmp_path)
    assert (door.name, door.boxes(), gate.name) == ("door", [], "gate")
    assert [(box.frame, box.person) for box in gate.boxes()] == [(9, 1), (9, 2), (10, 1)]
    assert gate.boxes()[0][2:6] == pytest.approx((40, 6, 20, 48))
    counts = cut_crops(tmp_path, tmp_path / "crops", CropRules(every=1, divide=False, shared_ids=True))
    assert counts == {"": (2, 3)}
    with Image.open(tmp_path / "crops" / "00001" / "c2_gate_f000009.jpg") as crop:
        assert crop.size == (20, 48)


@pytest.mark.parametrize("images", ["images", "", "labels"])
def test_where_images_may_lie_and_how_they_are_numbered(tmp_path, images):
    write(tmp_path, {"v_000012": ["0 0.5 0.5 0.2 0.8 1"]}, images)
    (tmp_path / "labels" / "v_000012.txt").rename(tmp_path / "labels" / "v_12.txt")
    (sequence,) = read_yolo(tmp_path)
    assert [path.name for path in sequence.frames().values()] == ["v_000012.jpg"] and len(sequence.boxes()) == 1


def test_splits_and_the_names_of_classes(tmp_path):
    lines = ["0 0.5 0.5 0.2 0.9 1", "1 0.2 0.5 0.2 0.9 2"]
    for part in ("train", "val"):
        write(tmp_path, {"a_1": lines, "a_2": lines}, part=part)
    (tmp_path / "data.yaml").write_text("names: {0: car, 1: Pedestrian}\n")
    train, val = read_yolo(tmp_path)
    assert not train.is_test and val.is_test and {box.person for box in val.boxes()} == {2}
    assert {box.person for box in read_yolo(tmp_path, "car")[0].boxes()} == {1}
    assert {box.person for box in read_yolo(tmp_path, "0")[0].boxes()} == {1}
    counts = cut_crops(tmp_path, tmp_path / "crops", CropRules(every=1))
    assert counts == {"train": (1, 2), "query": (1, 1), "gallery": (1, 1)}
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(DatasetError, match=r"which class. its labels have 0, 1, and no data.yaml.*--category"):
        read_yolo(tmp_path)
    (tmp_path / "labels" / "classes.txt").write_text("car\nlorry\n")
    with pytest.raises(DatasetError, match=r"which class. its classes are car, lorry"):
        read_yolo(tmp_path)


def test_people_who_were_labelled_by_name(tmp_path):
    write(tmp_path, {"f1": ["0 0.5 0.5 0.2 0.9", "1 0.2 0.5 0.2 0.9"], "f2": ["1 0.5 0.5 0.2 0.9"]})
    (tmp_path / "classes.txt").write_text("Ann\nBob\n")
    with pytest.raises(DatasetError, match=r"which class. its classes are Ann, Bob"):
        read_yolo(tmp_path)
    (sequence,) = read_yolo(tmp_path, identity="class")
    assert [(box.frame, box.person) for box in sequence.boxes()] == [(1, "Ann"), (1, "Bob"), (2, "Bob")]
    with pytest.raises(DatasetError, match=r"--identity is class"):
        read_yolo(tmp_path, identity="track_id")


def test_mistakes(tmp_path):
    write(tmp_path, {"f1": ["0 0.5 0.5 0.2 0.9"]})
    with pytest.raises(DatasetError, match=r"no line of its labels has a track.*save_txt=True.*--identity class"):
        read_yolo(tmp_path)
    for line in (
        "0 0.5 0.5 0.2",
        "0 0.5 0.5 0.2 0.9 0.3 0.4",
        "0 a b c d 1",
        "0 50 30 20 50 1",
        "0 1 1 1 1 1 1 1 1",
        "nan 1 1 1 1 1",
        "0 1 1 inf 1 1",
    ):
        (tmp_path / "labels" / "f1.txt").write_text("\n" + line)
        with pytest.raises(DatasetError, match=r"f1.txt:2: a line of YOLO's labels with a track is"):
            read_yolo(tmp_path)
    (tmp_path / "labels" / "f1.txt").write_text("0 0.5 0.5 0.2 0.9 1")
    (tmp_path / "classes.txt").write_bytes("car\nJosé\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"classes.txt:2: not UTF-8"):
        read_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: {person: 0}\n")
    with pytest.raises(DatasetError, match=r"data.yaml: names is a list, or numbers to names.*'person'"):
        read_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text(
        "made: 2024-13-45\nnames: [person]\n"
    )  # a date that there is not, and no matter
    (tmp_path / "a.yaml").write_text("[" * 3000)
    assert len(read_yolo(tmp_path)[0].boxes()) == 1
    (tmp_path / "images" / "f1.jpg").unlink()
    with pytest.raises(DatasetError, match=r"has no image of its name in .*ffmpeg -i"):
        read_yolo(tmp_path)
