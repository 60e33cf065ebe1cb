"""Fills the tables of the documents: each marked block of Markdown from the file of results that its mark names.

``<!-- results: projects/X/results.yml NAME -->`` to ``<!-- end of results -->`` holds a single run's table,
``<!-- table: projects/X/results/table1.json -->`` to ``<!-- end of table -->`` that of a paper's table. Files are
relative to the repository.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reidzoo.errors import UserError
from reidzoo.files import write_text
from reidzoo.runs.environment import command_line
from reidzoo.runs.pipeline import results_table
from reidzoo.tables.progress import show_time
from reidzoo.tables.report import render

__all__ = ["documents", "fill_tables", "update_documents"]

READING = "docs/papers/index.md#how-to-read-a-table"
"""The page that explains a table's intervals and verdicts."""

_RUN = re.compile(r"(<!-- results: (\S+) (\S+) -->\n)(.*?)(<!-- end of results -->)", re.DOTALL)
_TABLE = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def documents(repository: Path) -> list[Path]:
    """Return the Markdown files that may hold tables."""
    return [repository / "README.md", *sorted((repository / "projects").glob("*/*.md"))]


def fill_tables(document: Path, repository: Path) -> str:
    """Return a document's Markdown with each marked block replaced by the table its results file gives.

    An empty block whose table is not recorded yet stays as it is, so that it does not keep others from being recorded.

    Raises:
        UserError: the entry or the file that a filled block names is not there.
    """
    page = Path(os.path.relpath(repository, document.parent), READING).as_posix()

    def run(match: re.Match) -> str:
        entry = yaml.safe_load(_read(repository, match[2])).get(match[3])
        if entry is None:
            raise UserError(f"a document has a table marked to be of {match[3]} in {match[2]}; record that run first")
        caption = f"One run of `{command_line(entry)}` (seed {entry['seed']}); percent, on rendered twins."
        return f"{match[1]}```\n{results_table(entry['results'])}\n```\n\n{caption}\n{match[5]}"

    def table(match: re.Match) -> str:
        if not match[3] and not (repository / match[2]).is_file():
            return match[0]
        results = json.loads(_read(repository, match[2]))
        shown = render(results, "pipe", explained_in=f"[How to read it]({page}).")
        return f"{match[1]}{shown}\n\n{_origin(results)}\n{match[4]}"

    return _TABLE.sub(table, _RUN.sub(run, document.read_text(encoding="utf-8")))


def _read(repository: Path, name: str) -> str:
    if not (repository / name).is_file():
        raise UserError(f"a document has a table marked to be of {name}, which is not there; record it first")
    return (repository / name).read_text(encoding="utf-8")


def _origin(results: Mapping[str, Any]) -> str:
    """Return the text that says how the figures of a table were obtained."""
    run = results["environment"]
    commits = ", ".join(commit[:7] for commit in run["commits"]) or "none yet"
    counts = run.get("run_threads", [])  # not in older records
    threads = f"{', '.join(counts)} thread{'s' if counts != ['1'] else ''} in each, " if counts else ""
    return (
        f"By `{run['command']}`: {run['units']} runs, {show_time(run['seconds'])} of run time in all, "
        f"torch {run['torch']}, {run['device']}, {threads}commit {commits}."
    )


def update_documents(repository: Path) -> list[Path]:
    """Fill the tables of all documents and return those that changed."""
    changed = []
    for document in documents(repository):
        if (filled := fill_tables(document, repository)) != document.read_text(encoding="utf-8"):
            write_text(document, filled)
            changed.append(document)
    return changed
