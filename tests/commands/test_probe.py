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

    def write(name="a", shift=(0.0, 0.0), people=40, images=10, pids=True, camids=True, dim=8, start=0.0):
        folder = tmp_path / name
        folder.mkdir()
        rng = np.random.default_rng(len(name) + people)
        cameras = np.arange(people * images) % len(shift)
        features = rng.normal(size=(people * images, dim)) + np.array(shift)[cameras][:, None] + start
        np.save(folder / "features.npy", features.astype(np.float32))
        with open(folder / "index.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "path", "pid", "camid", "split"))
            for row, camera in enumerate(cameras):
                pid = row // images if pids else ""
                writer.writerow((row, f"{row}.png", pid, [2, 10, 3][camera] if camids else "", ""))
        return folder

    return write


def found(capsys):
    """The printed accuracy and chance, and the table's lines."""
    text = capsys.readouterr().out
    said = re.search(r"in (\d+\.\d) of 100 cases; by chance it would be (\d+\.\d)", text)
    accuracy, chance = map(float, said.groups())
    return accuracy, chance, [line.split() for line in text.splitlines()[2:] if line and line.split()[-1].isdigit()]


def test_cameras_that_shift_features_are_told_and_others_are_not(write_features, capsys):
    call("probe", write_features("told", shift=(0.0, 4.0)))
    accuracy, chance, lines = found(capsys)
    assert accuracy == 100 and chance == 50
    assert lines == [["2", "200", "100", "100"], ["10", "200", "100", "100"]]
    call("probe", write_features("not", shift=(0.0, 0.0)))
    accuracy, chance, _ = found(capsys)
    assert 35 < accuracy < 65 and chance == 50


def test_folders_are_told_apart_whose_people_have_the_same_names(write_features, capsys):
    one, two, three = (write_features(name, start=start) for name, start in (("a", 0), ("bb", 5), ("ccc", -5)))
    call("probe", one, two, three, "--images", 50)
    accuracy, chance, lines = found(capsys)
    assert accuracy == 100 and chance == pytest.approx(33.3)
    assert lines == [[str(folder), "400", "50", "50"] for folder in (one, two, three)]


def test_people_are_on_one_side_only(write_features, monkeypatch):
    import reidzoo.evaluation

    split, seen = reidzoo.evaluation.probe_split, []

    def keep(labels, identities, *rest):
        seen.append((identities, *split(labels, identities, *rest)))
        return seen[-1][1:]

    monkeypatch.setattr(reidzoo.evaluation, "probe_split", keep)
    call("probe", write_features("a"), write_features("bb"))
    identities, learns, tests = seen[0]
    assert len(np.unique(identities)) == 80 and not set(identities[learns]) & set(identities[tests])


def test_images_of_nobody_known_are_identities_of_their_own(write_features, capsys):
    call("probe", write_features("unknown", shift=(0.0, 4.0), pids=False))
    assert found(capsys)[0] == 100


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda write: [write(camids=False)], "no image has a known camera"),
        (lambda write: [write(shift=(0.0,))], "cameras cannot be told apart: a probe needs two labels"),
        (lambda write: [write(), write("bb", dim=9)], "8 and 9 numbers are not of one model"),
        (lambda write: [write()] * 2, "named twice"),
        (lambda write: [write(), "--images", "0"], "--images takes a number from 1 up"),
        (lambda write: ["nowhere"], "nowhere is not a folder that reidzoo extract has written"),
    ],
)
def test_mistakes_are_named(write_features, make, message):
    with pytest.raises(UserError, match=message):
        call("probe", *make(write_features))
