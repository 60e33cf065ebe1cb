"""`reidzoo split` prints what a configuration calls its parts, and they can be read so."""

from __future__ import annotations

import pytest
import yaml

from reidzoo.commands import call, main
from reidzoo.datasets import build_dataset
from reidzoo.errors import UserError


@pytest.fixture
def people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for person in "abcdefghij":
        for camera in ("gate", "door"):
            for number in range(2):
                path = tmp_path / "people" / person / f"{camera}-{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()


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
