from __future__ import annotations

import json
import re

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
    assert json.loads(path.read_text())["uncommitted"] == said
    environment.note_environment(path, started=False)
    assert json.loads(path.read_text())["uncommitted"] == now


def test_the_parts_of_a_run_are_kept(monkeypatch, tmp_path):
    path = tmp_path / "environment.json"
    path.write_text(json.dumps({"threads": "4", "uncommitted": "none"}))  # of an older reidzoo
    for threads in ("4", "2"):
        monkeypatch.setattr(environment, "environment", lambda n=threads: {"threads": n, "uncommitted": "none"})
        assert environment.environment_changes(path) == (["threads: 4 before, 2 now"] if threads == "2" else [])
        environment.note_environment(path, started=True)
    record = json.loads(path.read_text())
    assert record["threads"] == "2" and [part["threads"] for part in record["parts"]] == ["4", "4", "2"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", part["began"]) for part in record["parts"][1:])
    path.write_text("")  # cut off
    assert environment.environment_changes(path) == []
    environment.note_environment(path, started=True)
    assert json.loads(path.read_text())["uncommitted"] == "unknown"


@pytest.mark.parametrize(("here", "said"), [("", ""), ("ours", ""), ("theirs", "theirs")])
def test_the_commit_of_ones_own_code_is_no_other_than_reidzoos(monkeypatch, tmp_path, here, said):
    monkeypatch.chdir(tmp_path)
    commits = {environment.ROOT: "ours", tmp_path: here}
    monkeypatch.setattr(environment, "_git", lambda *_, folder=environment.ROOT: commits[folder])
    assert environment.own_commit() == said


def test_a_new_folder_of_code_is_uncommitted_file_by_file(monkeypatch, tmp_path):
    def git(*words):
        return ask("-c", "user.name=x", "-c", "user.email=x@y", *words, folder=tmp_path)

    ask = environment._git
    (tmp_path / "reidzoo").mkdir()
    (tmp_path / "reidzoo/a.py").write_text("")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(environment, "_git", git)
    assert environment.environment()["uncommitted"] == "none"
    for name in ("projects/New/new/loss.py", "projects/New/base.yml", "projects/New/notes.md", "elsewhere/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "reidzoo/a.py").write_text("# changed")
    said = environment.environment()["uncommitted"]
    assert sorted(said.split(", ")) == ["projects/New/base.yml", "projects/New/new/loss.py", "reidzoo/a.py"]
