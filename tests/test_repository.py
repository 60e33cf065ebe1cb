"""The files around the code agree with one another: versions, dates, the Pythons that are tested, the hooks."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import reidzoo

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def read_yaml(path):
    return yaml.safe_load((REPOSITORY / path).read_text())


def releases():
    """Return version -> date of CHANGELOG.md, the newest first."""
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert all(found), headings
    return {match[1]: datetime.date.fromisoformat(match[2]) for match in found}


def test_the_changelog_is_in_its_form():
    assert set(re.findall(r"^### (.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)) <= SECTIONS
    found = releases()
    numbers = [tuple(map(int, version.split("."))) for version in found]
    assert numbers == sorted(numbers, reverse=True)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_version_is_the_same_everywhere():
    citation = read_yaml("CITATION.cff")
    newest, date = next(iter(releases().items()))
    assert PROJECT["version"] == reidzoo.__version__ == citation["version"] == newest
    assert citation["date-released"] == date
    assert citation["license"] == PROJECT["license"]["text"]
    assert citation["cff-version"] == "1.2.0" and {"title", "message", "authors"} <= set(citation)


def test_every_promised_python_is_tested():
    (job,) = read_yaml(".github/workflows/test.yml")["jobs"].values()
    versions = job["strategy"]["matrix"]["python-version"]
    promised = SpecifierSet(PROJECT["requires-python"])
    assert versions[0] in promised and f"3.{int(versions[0].split('.')[1]) - 1}" not in promised
    assert versions == [f"3.{minor}" for minor in range(int(versions[0][2:]), int(versions[-1][2:]) + 1)]
    assert job["steps"][-1]["run"] == "make test"


def test_the_ruff_of_pre_commit_is_one_that_dev_allows():
    repos = {repo["repo"].rpartition("/")[2]: repo["rev"] for repo in read_yaml(".pre-commit-config.yaml")["repos"]}
    allowed = next(r for r in map(Requirement, PROJECT["optional-dependencies"]["dev"]) if r.name == "ruff")
    assert repos["ruff-pre-commit"].removeprefix("v") in allowed.specifier


def test_text_files_end_with_one_newline_and_lines_without_spaces():
    """What pre-commit's hooks would otherwise change."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        content = path.read_bytes() if path.is_file() else b""
        if content and b"\0" not in content[:8192]:
            texts[name] = content
    assert "README.md" in texts
    assert [name for name, text in texts.items() if not text.endswith(b"\n") or text.endswith(b"\n\n")] == []
    assert [name for name, text in texts.items() if re.search(rb"[ \t]+$", text, re.MULTILINE)] == []


def test_texts_are_read_as_utf_8_which_they_are_written_as():
    files = [file for folder in ("reidzoo", "projects", "tools") for file in (REPOSITORY / folder).rglob("*.py")]
    bare = [file.name for file in files if ".read_text()" in file.read_text(encoding="utf-8")]
    assert bare == ["image_cache.py"]  # which reads the system's


@pytest.mark.parametrize("name", ["bug_report", "feature_request"])
def test_issue_forms_ask_for_what_they_need(name):
    form = read_yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert form["name"] and form["description"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)
