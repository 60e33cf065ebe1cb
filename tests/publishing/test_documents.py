from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reidzoo.errors import UserError
from reidzoo.publishing.documents import documents, fill_tables, update_documents
from reidzoo.tables import collect

TEXT = "before\n<!-- table: projects/X/results/table1.json -->\n<!-- end of table -->\nafter\n"


@pytest.fixture
def repository(tmp_path, table, plan):
    """A repository with one project, whose table nobody has run."""
    folder = tmp_path / "projects" / "X"
    (folder / "results").mkdir(parents=True)
    results = collect(table(), plan(), [0, 1], "tools/run_table.py projects/X/table1.yml")
    (folder / "results" / "table1.json").write_text(json.dumps(results))
    (folder / "README.md").write_text(TEXT)
    (tmp_path / "README.md").write_text("nothing marked\n")
    return tmp_path


def filled(text, repository):
    """Return the project's README with this text, filled."""
    readme = repository / "projects" / "X" / "README.md"
    readme.write_text(text)
    return fill_tables(readme, repository)


def test_the_tables_in_the_documents_are_what_the_files_give():
    checkout = Path(__file__).parents[2]
    for document in documents(checkout):
        text = document.read_text()
        assert fill_tables(document, checkout) == text, f"{document} is stale; run tools/record_results.py"
        assert not re.search(r"<!-- table: \S+ -->\n<!--", text), f"{document} marks a table that is not recorded"


def test_a_marked_block_is_filled_and_then_left(repository):
    text = filled(TEXT, repository)
    assert text.startswith("before\n<!-- table:") and text.endswith("<!-- end of table -->\nafter\n")
    assert "| The first" in text and "`tools/run_table.py projects/X/table1.yml`" in text and "0 runs" in text
    assert "[How to read it](../../docs/papers/index.md#how-to-read-a-table)." in text
    assert filled(text, repository) == text


def test_all_documents_are_filled(repository):
    readme = repository / "projects" / "X" / "README.md"
    assert documents(repository) == [repository / "README.md", readme]
    assert update_documents(repository) == [readme]
    assert "| The first" in readme.read_text()
    assert update_documents(repository) == []


def test_a_file_that_is_not_there(repository):
    with pytest.raises(UserError, match=r"projects/Y/results/table2\.json"):
        filled("<!-- table: projects/Y/results/table2.json -->\na table\n<!-- end of table -->", repository)


def test_a_table_that_is_not_recorded_yet_does_not_keep_others_from_being_filled(repository):
    marked = "<!-- table: projects/Y/results/table2.json -->\n<!-- end of table -->\n"
    text = filled(marked + TEXT, repository)
    assert text.startswith(marked) and "| The first" in text


def test_an_entry_that_is_not_there(repository):
    (repository / "results.yml").write_text("mini: {}\n")
    with pytest.raises(UserError, match=r"of small in results\.yml; record that run first"):
        filled("<!-- results: results.yml small -->\n<!-- end of results -->", repository)


def test_a_runs_command_comes_with_the_threads_that_its_figures_depend_on(repository):
    entry = {"command": "tools/train_net.py x", "seed": 3, "results": {"one": {"Duke twin": {"mAP": 0.5}}}}
    entry["results"]["one"]["Duke twin"] |= {"rank-1": 0.25, "rank-5": 0.5, "rank-10": 1.0}
    marked = "<!-- results: results.yml mini -->\n<!-- end of results -->"
    for threads, command in (
        ({}, "`tools/train_net.py x`"),
        ({"threads": "2"}, "`OMP_NUM_THREADS=2 tools/train_net.py x`"),
    ):
        (repository / "results.yml").write_text(json.dumps({"mini": {**entry, **threads}}))
        text = filled(marked, repository)
        assert f"One run of {command} (seed 3)" in text and "25.0" in text
