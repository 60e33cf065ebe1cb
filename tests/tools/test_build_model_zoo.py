from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from reidzoo.errors import UserError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def build(monkeypatch):
    """Return a function that runs the tool in this process."""
    spec = importlib.util.spec_from_file_location("build_model_zoo", REPOSITORY / "tools" / "build_model_zoo.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tools/build_model_zoo.py", *map(str, words)])
        tool.main()

    return run


@pytest.mark.slow
def test_the_page_is_what_the_files_give(build):
    build("--check")


def test_a_stale_page_is_told_and_written_anew(build, tmp_path):
    build("--root", tmp_path)
    page = tmp_path / "model_zoo.md"
    text = page.read_text()
    assert text.startswith("<!-- Written by")
    build("--root", tmp_path, "--check")
    page.write_text(text + "more\n")
    with pytest.raises(UserError, match="stale"):
        build("--root", tmp_path, "--check")
    assert page.read_text() == text + "more\n"
    build("--root", tmp_path)
    assert page.read_text() == text


def test_the_exit_code_of_a_stale_page(run_tool, tmp_path):
    run = run_tool("build_model_zoo.py", "--root", tmp_path, "--check")
    assert run.returncode == 2 and "stale" in run.stderr
