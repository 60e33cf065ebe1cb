"""What features tell of the camera or of the folder, on features made for it."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from reidzoo.commands import call
from reidzoo.errors import UserError


@pytest.fixture
def write_features(tmp_path):
    """``write_features(name, shift)`` writes what ``reidzoo extract`` leaves; ``shift`` of the features by camera."""

    def write(
        name="a", shift=(0.0, 0.0), people=40, images=10, pids=True, camids=True, dim=8, start=0.0, own=0.0, prefix=""
    ):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        rng = np.random.default_rng(len(name) + people)
        cameras = np.arange(people * images) % len(shift)
        features = rng.normal(size=(people * images, dim)) + np.array(shift)[cameras][:, None] + start
        features += own * np.random.default_rng(0).normal(size=(people, dim)).repeat(images, 0)
        np.save(folder / "features.npy", features.astype(np.float32))
        with open(folder / "index.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "path", "pid", "camid", "split"))
            for row, camera in enumerate(cameras):
                pid = f"{prefix}{row // images}" if pids else ""
                writer.writerow((row, f"{name}/{row}.png", pid, [2, 10, 3][camera] if camids else "", ""))
        return folder

    return write


def found(capsys):
    """The printed accuracy and chance, the table's lines, and the notes behind."""
    text = capsys.readouterr().out
    said = re.search(r"in (\d+\.\d) of 100 cases, the mean.*\n.*by chance it would be (\d+\.\d)\.\n", text)
    table, accuracy, chance = text.partition("\n\n")[0], *map(float, said.groups())
    return accuracy, chance, [line.split() for line in table.splitlines()[2:]], text[said.end() :]


def test_cameras_that_shift_features_are_told_and_others_are_not(write_features, capsys):
    call("probe", write_features("told", shift=(0.0, 4.0)))
    accuracy, chance, lines, notes = found(capsys)
    assert accuracy == 100 and chance == 50 and not notes
    assert lines == [["2", "200", "40", "100", "100"], ["10", "200", "40", "100", "100"]]
    call("probe", write_features("not", shift=(0.0, 0.0)))
    accuracy, chance, *_ = found(capsys)
    assert 35 < accuracy < 65 and chance == 50


def test_folders_are_told_apart(write_features, capsys):
    one, two, three = (
        write_features(name, start=start, prefix=name) for name, start in (("a", 0), ("bb", 5), ("ccc", -5))
    )
    call("probe", one, two, three, "--images", 50)
    accuracy, chance, lines, notes = found(capsys)
    assert accuracy == 100 and chance == pytest.approx(33.3) and not notes
    assert lines == [[str(folder), "400", "40", "50", "50"] for folder in (one, two, three)]


def test_people_who_are_in_both_folders_are_on_one_side(write_features, capsys):
    """On both, a classifier that knows a person by heart would name the folder that it learnt them from."""
    call("probe", write_features("query", own=3.0, dim=64), write_features("gallery", own=3.0, dim=64))
    assert 40 < found(capsys)[0] < 60


def test_images_of_nobody_known_count_as_a_person_each_and_that_is_said(write_features, capsys):
    call("probe", write_features("unknown", shift=(0.0, 4.0), pids=False))
    accuracy, _, lines, notes = found(capsys)
    assert accuracy == 100 and lines[0][2] == "200" and notes.startswith("400 images show nobody who is named")


def test_few_people_and_a_camera_that_is_left_out_are_said(write_features, capsys):
    folder = write_features("few", people=8, shift=(0.0, 4.0))
    head, *lines = (folder / "index.csv").read_text().splitlines()
    own = [",".join([*line.split(",")[:3], "7", ""]) for line in lines[:2]]  # a camera that saw one person
    (folder / "index.csv").write_text("\n".join([head, *own, *lines[2:]]))
    call("probe", folder)
    _, _, lines, notes = found(capsys)
    assert [line[0] for line in lines] == ["2", "7", "10"] and lines[1][1:] == ["2", "1", "0", "0"]
    assert "Left out, since its people are all on one side: camera 7." in notes
    assert "camera has 4 people on one" in notes


def test_images_without_a_camera_are_left_out_and_counted(write_features, capsys):
    folder = write_features("some", shift=(0.0, 4.0))
    head, *lines = (folder / "index.csv").read_text().splitlines()
    blind = [",".join([*line.split(",")[:3], "", ""]) for line in lines[:7]]
    (folder / "index.csv").write_text("\n".join([head, *blind, *lines[7:]]))
    call("probe", folder)
    _, _, lines, notes = found(capsys)
    assert [line[:2] for line in lines] == [["2", "196"], ["10", "197"]]
    assert notes.strip() == "Left out, since their camera is not known: 7 images."


def spoil(folder, file, change):
    """Return the folder with one of its files changed."""
    path = folder / file
    path.write_bytes(change(path.read_bytes()))
    return folder


def saved(folder, features):
    """Return the folder with other features."""
    np.save(folder / "features.npy", features)
    return folder


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda write: [write(camids=False)], "no image has a known camera"),
        (lambda write: [write(shift=(0.0,))], "cameras cannot be told apart: it takes two of them"),
        (lambda write: [write(), write("bb", dim=9)], "bb has features of 9 numbers, .* not of one model"),
        (lambda write: [write()] * 2, "named twice"),
        (lambda write: [write(), "--images", "0"], "--images takes a number from 1 up"),
        (lambda write: ["nowhere"], "nowhere is not a folder that reidzoo extract has written"),
        (lambda write: [write(), spoil(write("b"), "index.csv", lambda t: t.replace(b"b/", b"a/"))], "a/0.png is in "),
        (lambda write: [saved(write(), np.full((400, 8), np.nan))], "row 0, a/0.png, are not finite"),
        (lambda write: [saved(write(), np.zeros((400, 8), bool))], "holds bool of shape .*, which are not features"),
        (lambda write: [spoil(write(), "features.npy", lambda _: b"PK\x03\x04garbage")], "is not a folder that"),
        (lambda write: [spoil(write(), "index.csv", lambda t: t.replace(b"\n1,", b"\n7,"))], "row 7 is out of"),
    ],
)  # fmt: skip
def test_mistakes_are_named(write_features, make, message):
    with pytest.raises(UserError, match=message):
        call("probe", *make(write_features))
