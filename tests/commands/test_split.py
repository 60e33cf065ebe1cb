"""`reidzoo split` prints what a configuration calls its parts, and they can be read so."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from reidzoo.commands import call, main
from reidzoo.datasets import build_dataset
from reidzoo.errors import DatasetError, UserError


@pytest.fixture
def people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for person in "abcdefghij":
        for camera in ("gate", "door"):
            for number in range(2):
                path = tmp_path / "people" / person / f"{camera}-{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(noise.integers(0, 255, (8, 4, 3)).astype(np.uint8)).save(path)
    return tmp_path / "people"


@pytest.mark.parametrize(
    ("words", "protocol", "cameras"),
    [
        (["--camera", "^([a-z]+)-"], "market1501", 2),
        (["--camera", "^([a-z]+)-", "--files", "csv"], "market1501", 2),
        (["--no-cameras", "--files", "link"], "camera_free", 1),
        ([], "camera_free", 1),
    ],
)
def test_the_nodes_that_are_printed(people, capsys, words, protocol, cameras):
    call("split", "people", "--output-dir", "crops", *words)
    printed = capsys.readouterr().out
    nodes = yaml.safe_load(printed.split("DATASETS.ROOT .:")[1])
    (test,), (val,) = nodes["TESTS"], nodes["TESTS, while you choose settings"]
    assert nodes["TRAIN"] == {"train": test}
    dataset = build_dataset(test, root=".")
    assert dataset.protocol == protocol and len({r.camid for r in dataset.train}) == cameras
    assert len({r.pid for r in dataset.query}) == 3 and len(dataset.train) == 24
    assert len({r.pid for r in build_dataset(val, root=".").gallery}) == 1


def test_unreadable_images_are_refused_or_left_out(people, capsys):
    (people / "a/door-0.jpg").write_bytes(b"")
    (people / "b/gate-1.jpg").write_bytes(b"garbage")
    whole = (people / "c/gate-1.jpg").read_bytes()
    (people / "c/gate-1.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"3 of 40 images cannot be read; --skip-unreadable(.|\n)*a/door-0.jpg .*empty"):
        call("split", "people", "--output-dir", "crops", "--no-cameras")
    call("split", "people", "--output-dir", "crops", "--no-cameras", "--skip-unreadable")
    printed = capsys.readouterr().out
    assert "3 of 40 images cannot be read and are left out" in printed and "c/gate-1.jpg cannot be read" in printed
    written = {path.parts[-2:] for path in people.with_name("crops").rglob("*.jpg")}
    assert len(written) == 37 and not written & {("a", "door-0.jpg"), ("b", "gate-1.jpg"), ("c", "gate-1.jpg")}


def test_copies_in_two_parts_are_counted(people, capsys):
    call("split", "people", "--output-dir", "crops", "--no-cameras")
    assert "The same file" not in capsys.readouterr().out
    tested, learnt = (sorted(people.with_name("crops").glob(part))[0].name for part in ("gallery/*", "train/*"))
    shutil.copy(people / tested / "door-0.jpg", people / learnt / "gate-1.jpg")
    shutil.copy(people / learnt / "gate-0.jpg", people / learnt / "door-1.jpg")
    call("split", "people", "--output-dir", "again", "--no-cameras")
    printed = capsys.readouterr().out
    assert "The same file in two parts: 1. `reidzoo check people --html FILE`" in printed
    assert f"  {learnt}/gate-1.jpg (train), {tested}/door-0.jpg (" in printed


def test_mistakes(people, capsys):
    for words, message in {
        ("--test-share", "1"): "--test-share and --val-share are in",
        ("--camera", "gate"): "reidzoo split: --camera must be a regular expression with one group",
        ("--test-share", "0.9"): "at least two must be left",
    }.items():
        with pytest.raises(UserError, match=message):
            call("split", "people", "--output-dir", "crops", *words)
    with pytest.raises(SystemExit) as end:
        main(["split", "nowhere", "--output-dir", "crops"])
    assert end.value.code == 2 and "there is no folder" in capsys.readouterr().err


def test_a_name_that_no_list_can_hold_is_refused(people, tmp_path):
    os.rename(people / "a", os.fsencode(people) + b"/\xe9")
    with pytest.raises(DatasetError, match=r"4 images have a path that is not UTF-8.*\\udce9"):
        call("split", "people", "--output-dir", "crops", "--no-cameras")


def test_a_pattern_that_no_name_has_is_a_mistake(people, tmp_path):
    with pytest.raises(UserError, match=r"--camera zz\(\[0-9\]\): no file's path has it, such as "):
        call("split", "people", "--output-dir", "crops", "--camera", "zz([0-9])")
    assert not (tmp_path / "crops").exists()


def test_parts_do_not_lie_among_the_people(people, tmp_path):
    with pytest.raises(UserError, match="lies in people, whose folders are people"):
        call("split", "people", "--output-dir", "people/sub", "--no-cameras")
    assert not (tmp_path / "people/sub").exists()
    with pytest.raises(UserError, match="reidzoo split PEOPLE --output-dir CROPS"):
        build_dataset({"type": "FolderDataset", "folder": "people"}, root=".")
