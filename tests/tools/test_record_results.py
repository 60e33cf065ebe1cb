from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("record_results", REPOSITORY / "tools" / "record_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_in_the_documents_are_what_the_files_give(tool):
    for document in tool.documents():
        text = document.read_text()
        assert tool.fill_tables(text) == text, f"{document} is stale; run tools/record_results.py"
        assert not re.search(r"<!-- table: \S+ -->\n<!--", text), f"{document} marks a table that is not recorded"


def test_an_unfinished_run_is_refused(tool, run_tool, tmp_path):
    arguments = ["--run", tmp_path, "--into", tmp_path / "results.yml", "--name", "x"]
    run = run_tool("record_results.py", *arguments)
    assert run.returncode == 2 and "holds no run" in run.stderr
    (tmp_path / "environment.json").write_text("{}")
    (tmp_path / "config.yml").write_text("SEED: 0\nSTAGES: {one: {}}\n")
    run = run_tool("record_results.py", *arguments)
    assert run.returncode == 2 and "one" in run.stderr
