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
    answers = {"rev-parse": commit, "ls-files": "reidzoo/version.py"}
    monkeypatch.setattr(environment, "_git", lambda word, *_: {**answers, "status": status}[word])
    found = environment.environment()
    assert found["uncommitted"] == said and found["commit"] == (commit or "unknown")


def test_the_command_is_noted_in_one_form(monkeypatch):
    """What is read from it later, the configuration for one, need not know each way to write it."""
    given = ["/lib/reidzoo/__main__.py", "train", "--config-file=projects/A/a=b.yml", "--resume", "TEST.FLIP", "a=b"]
    monkeypatch.setattr("sys.argv", given)
    expected = "reidzoo train --config-file projects/A/a=b.yml --resume TEST.FLIP a=b"
    assert environment.environment()["command"] == expected


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


def git_in(folder):
    """Return git in a folder that is made a repository, of an author."""
    ask = environment._git
    author = ("-c", "user.name=x", "-c", "user.email=x@y")
    ask("init", "-q", folder=folder)
    return lambda *words, folder=folder: ask(*author, *words, folder=folder)


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A repository that holds reidzoo in a folder of its own, and the git that is asked there."""
    code = tmp_path / "vendored"
    (code / "reidzoo").mkdir(parents=True)
    (code / "reidzoo/version.py").write_text("")
    git = git_in(tmp_path)
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(environment, "_git", lambda *words, folder=code: git(*words, folder=folder))
    return code


def test_a_machine_without_git_is_none_that_cannot_train(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.environment()["commit"] == "unknown" and environment.own_commit() == ""


def test_a_new_folder_of_code_is_uncommitted_file_by_file(checkout):
    assert environment.environment()["uncommitted"] == "none" and len(environment.environment()["commit"]) == 40
    for name in ("projects/New/new/loss.py", "projects/New/base.yml", "projects/New/notes.md", "elsewhere/b.py"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("")
    (checkout / "reidzoo/version.py").write_text("# changed")
    said = environment.environment()["uncommitted"].split(", ")
    named = ["projects/New/base.yml", "projects/New/new/loss.py", "reidzoo/version.py"]
    assert sorted(said) == [f"vendored/{name}" for name in named]


def test_somebodys_checkout_around_an_installed_package_is_not_its_own(checkout, monkeypatch):
    """As of a virtual environment within one's project, which git ignores."""
    project = checkout.parent
    installed, git = project / ".venv/lib/reidzoo/assets", environment._git
    installed.mkdir(parents=True)
    monkeypatch.setattr(environment, "_git", lambda *words, folder=installed: git(*words, folder=folder))
    found = environment.environment()
    assert (found["commit"], found["uncommitted"]) == ("unknown", "unknown")
    monkeypatch.chdir(project)
    assert environment.own_commit() == git("rev-parse", "HEAD", folder=project) != ""


def test_the_commit_of_ones_own_code_is_no_other_than_reidzoos(checkout, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(checkout)
    assert environment.own_commit() == ""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert environment.own_commit() == ""
