from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

pytestmark = pytest.mark.slow

TOOL = Path(__file__).parents[2] / "tools" / "render_data.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render_data", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_renders_reports_and_renders_once(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--root", str(tmp_path), "--datasets", "RandPerson", "--scale", "0.005", "--jobs", "1"]
    assert tool.main(command) == 0
    said = capsys.readouterr().out
    assert "RandPerson" in said and "rendered" in said and "renderer version" in said
    assert tool.main(command) == 0
    assert "was there" in capsys.readouterr().out


def test_contact_sheets(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "overview", lambda seed: Image.new("RGB", (8, 8)))
    sheets = tmp_path / "sheets"
    command = ["--root", str(tmp_path), "--datasets", "DukeMTMC", "--scale", "0.02", "--jobs", "1"]
    assert tool.main([*command, "--contact-sheet", str(sheets)]) == 0
    assert sorted(p.name for p in sheets.iterdir()) == ["DukeMTMC.png", "overview.png"]


def test_contact_sheets_of_vehicles(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "vehicle_overview", lambda seed: Image.new("RGB", (8, 8)))
    monkeypatch.setattr(tool, "contact_sheet", lambda name, seed: Image.new("RGB", (8, 8)))
    sheets = tmp_path / "sheets"
    command = ["--root", str(tmp_path), "--datasets", "VeRi776", "VehicleID", "--scale", "0.01", "--jobs", "1"]
    assert tool.main([*command, "--contact-sheet", str(sheets)]) == 0
    assert sorted(p.name for p in sheets.iterdir()) == ["VeRi776.png", "VehicleID.png", "vehicles.png"]
    assert (tmp_path / "VeRi" / "twin.json").is_file() and (tmp_path / "VehicleID_V1.0" / "twin.json").is_file()


def test_a_users_mistake_is_one_line_and_exit_code_2(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "RandPerson").mkdir()
    assert tool.main(["--root", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "RandPerson" in error and "Traceback" not in error
    assert tool.main(["--root", str(tmp_path), "--datasets", "Market"]) == 2
    assert "Market1501" in capsys.readouterr().err
