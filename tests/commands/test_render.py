from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from reidzoo import render
from reidzoo.commands import call
from reidzoo.errors import UserError

pytestmark = pytest.mark.slow


def test_renders_reports_and_renders_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--data-root", str(tmp_path), "--datasets", "RandPerson", "--scale", "0.005", "--jobs", "1"]
    call("render", *command)
    said = capsys.readouterr().out
    assert "RandPerson" in said and "rendered" in said and "renderer version" in said
    call("render", *command)
    assert "was there" in capsys.readouterr().out


def test_contact_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "overview", lambda seed: Image.new("RGB", (8, 8)))
    sheets = tmp_path / "sheets"
    command = ["--data-root", str(tmp_path), "--datasets", "DukeMTMC", "--scale", "0.02", "--jobs", "1"]
    call("render", *command, "--contact-sheet", sheets)
    assert sorted(p.name for p in sheets.iterdir()) == ["DukeMTMC.png", "overview.png"]


def test_contact_sheets_of_vehicles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "vehicle_overview", lambda seed: Image.new("RGB", (8, 8)))
    monkeypatch.setattr(render, "contact_sheet", lambda name, seed: Image.new("RGB", (8, 8)))
    sheets = tmp_path / "sheets"
    command = ["--data-root", str(tmp_path), "--datasets", "VeRi776", "VehicleID", "--scale", "0.01", "--jobs", "1"]
    call("render", *command, "--contact-sheet", sheets)
    assert sorted(p.name for p in sheets.iterdir()) == ["VeRi776.png", "VehicleID.png", "vehicles.png"]
    assert (tmp_path / "VeRi" / "twin.json").is_file() and (tmp_path / "VehicleID_V1.0" / "twin.json").is_file()


def test_a_users_mistake_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "RandPerson").mkdir()
    with pytest.raises(UserError, match="RandPerson"):
        call("render", "--data-root", tmp_path)
    with pytest.raises(UserError, match="Market1501"):
        call("render", "--data-root", tmp_path, "--datasets", "Market")


def test_a_twin_is_not_drawn_beside_the_real_images(tmp_path: Path) -> None:
    """Real images may lie under another accepted name, where the twin would be found first."""
    for name in ("bounding_box_train", "query", "bounding_box_test"):
        (tmp_path / "market1501" / name).mkdir(parents=True)
    with pytest.raises(UserError, match=r"market1501 holds Market1501.*another --data-root"):
        call("render", "--data-root", tmp_path, "--datasets", "Market1501", "--scale", "0.01", "--jobs", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["market1501"]
