"""A project made from the template, and the one that CONTRIBUTING.md works through: both train and pass their tests."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from reidzoo.commands import call
from reidzoo.errors import UserError

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "CONTRIBUTING.md").read_text()
TINY = [
    "INPUT.SIZE", "[32, 16]", "INPUT.TRANSFORMS.crop.pad", "2", "BACKBONE.width", "4", "SOLVER.IMS_PER_BATCH", "16",
    "SOLVER.ITERS_PER_EPOCH", "4", "SOLVER.MAX_EPOCHS", "2", "HOOKS.schedule.milestones", "[1]",
    "HOOKS.schedule.warmup_epochs", "0", "LOG.PERIOD", "1", "DEVICE", "cpu",
]  # fmt: skip


def blocks():
    """Return file -> content of the files that the guide writes out."""
    return dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE))


def commands(name):
    """Return the arguments of each ``python tools/NAME`` of the guide."""
    return [shlex.split(line)[2:] for line in GUIDE.splitlines() if line.startswith(f"python tools/{name} ")]


@pytest.fixture(scope="module")
def python(warm_python):
    """Return a function that runs ``python WORDS`` in a folder and returns the finished process."""
    return lambda *words, cwd: warm_python.run(words, cwd=cwd)


@pytest.fixture(scope="module")
def projects(python, tmp_path_factory):
    """A repository with ``Fresh`` of the template and ``Deviance`` of the guide; and what the tool said of each."""
    root = tmp_path_factory.mktemp("repository")
    (root / "reidzoo").symlink_to(REPOSITORY / "reidzoo")
    (root / "tools").symlink_to(REPOSITORY / "tools")
    (root / "pyproject.toml").write_text((REPOSITORY / "pyproject.toml").read_text())
    (deviance,) = commands("new_project.py")
    said = {}
    for arguments in (["Fresh"], deviance):
        run = python("tools/new_project.py", *arguments, "--directory", root / "projects", cwd=root)
        assert run.returncode == 0, run.stderr
        said[arguments[0]] = run.stdout
    for file, content in blocks().items():
        assert (root / file).exists(), f"the guide writes a file that the template does not have: {file}"
        (root / file).write_text(content)
    return root, said


def test_the_guide_lists_the_files_that_are_written(projects):
    root, said = projects
    found = [
        path for folder in ("projects/Deviance", "tests/projects/Deviance") for path in (root / folder).rglob("*.*")
    ]
    written = {str(path.relative_to(root)) for path in found if "__pycache__" not in path.parts}
    listed = re.findall(r"^\| `(\S+)` \|", GUIDE[GUIDE.index("## Add a paper") :], flags=re.MULTILINE)
    assert set(listed) == written == set(re.findall(r"^(?:projects|tests)/\S+", said["Deviance"], flags=re.MULTILINE))
    assert len(blocks()) == 4 and set(blocks()) <= written
    for path in written:
        assert "project_name" not in (text := (root / path).read_text()).lower() and "ProjectName" not in text
    readme = (root / "projects/Deviance/README.md").read_text()
    assert "*Deep Metric Learning for Practical Person Re-Identification*" in readme


def test_the_tests_pass(projects, python):
    root, said = projects
    (line,) = (line for line in said["Fresh"].splitlines() if line.startswith("python -m pytest"))
    run = python(*shlex.split(line)[1:], "tests/projects/Deviance", "-p", "no:cacheprovider", cwd=root)
    assert run.returncode == 0, run.stdout
    assert f"{3 + 4 + 3 + 1 + 2 + 2 + 2} passed" in run.stdout, run.stdout


def test_they_are_clean(projects, python):
    pytest.importorskip("ruff")
    root, _ = projects
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        run = python("-m", "ruff", *command, "projects", "tests", cwd=root)
        assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("name", ["Fresh", "Deviance"])
def test_mini_trains(projects, python, tiny_root, tmp_path, name):
    root, said = projects
    (line,) = (line for line in said[name].splitlines() if line.startswith("reidzoo train"))
    assert name != "Deviance" or shlex.split(line)[2:] in commands("train_net.py")
    overrides = [*TINY, "DATASETS.ROOT", tiny_root, "OUTPUT_DIR", tmp_path / "run"]
    run = python("-m", *shlex.split(line), *overrides, cwd=root)
    assert run.returncode == 0, run.stderr
    logged = [json.loads(text) for text in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert any(name.lower() in str(record) for record in logged), logged
    assert (tmp_path / "run/model_final.pth").exists()


def test_the_tables_resolve(projects, python):
    root, said = projects
    (table,) = commands("run_table.py")
    (fresh,) = (line for line in said["Fresh"].splitlines() if line.startswith("reidzoo table"))
    for arguments, rows in ((table, 3 * 5), (shlex.split(fresh)[2:], 2)):
        run = python("tools/run_table.py", *arguments, "--dry-run", cwd=root)
        assert run.returncode == 0, run.stderr
        assert f"0 of {rows} done" in run.stdout


@pytest.mark.parametrize(
    "name, said",
    [
        ("Deviance", "already"),
        ("2Fast", "letters and digits"),
        ("my-paper", "letters and digits"),
        ("../Paper", "letters and digits"),
        ("Class", "letters and digits"),
        ("Triplet", "TripletLoss"),
        ("Difference", "DifferenceLoss"),
        ("Json", "json"),
        ("Ecn", "ecn"),
        ("A" * 30, "shorter"),
    ],
)
def test_mistakes_are_named(projects, name, said):
    root, _ = projects
    before = sorted(root.glob("projects/*"))
    with pytest.raises(UserError, match=said):
        call("new-project", name, "--directory", root / "projects")
    assert sorted(root.glob("projects/*")) == before
