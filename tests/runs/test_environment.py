from __future__ import annotations

import json

import pytest

from reidzoo.runs import environment

STATUS = """\
 M README.md
 M reidzoo/engine/loader.py
R  projects/A/old.yml -> projects/A/new.yml
?? projects/A/a/loss.py
 M projects/A/results.yml
 M reidzoo/zoo/index.yml
?? projects/A/results/table1.json"""


@pytest.mark.parametrize(
    ("commit", "status", "said"),
    [
        ("abc", STATUS, "reidzoo/engine/loader.py, projects/A/new.yml, projects/A/a/loss.py"),
        ("abc", "", "none"),
        ("", "", "unknown"),
    ],
)
def test_the_environment_names_uncommitted_code(monkeypatch, commit, status, said):
    monkeypatch.setattr(environment, "_git", lambda word, *_: {"rev-parse": commit, "status": status}[word])
    found = environment.environment()
    assert found["uncommitted"] == said and found["commit"] == (commit or "unknown")


def test_git_is_asked_where_the_code_is(monkeypatch, tmp_path):
    before = environment.environment()
    monkeypatch.chdir(tmp_path)
    assert environment.environment() == before


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("none", "none", "none"),
        ("a.py", "none", "a.py"),
        ("a.py", "a.py, b.py", "a.py, b.py"),
        (None, "none", "unknown"),
    ],
)
def test_what_was_not_committed_stays_noted_when_a_run_goes_on(monkeypatch, tmp_path, before, now, said):
    path = tmp_path / "environment.json"
    path.write_text(json.dumps({} if before is None else {"uncommitted": before}))
    monkeypatch.setattr(environment, "environment", lambda: {"uncommitted": now})
    environment.note_environment(path, started=True)
    assert json.loads(path.read_text()) == {"uncommitted": said}
    environment.note_environment(path, started=False)
    assert json.loads(path.read_text()) == {"uncommitted": now}
