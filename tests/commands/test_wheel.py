"""The wheel, installed into an environment of its own: the README's commands in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DEMO = ["--config-file", "projects/DomainMix/mini.yml"]
SHORT = ["SOLVER.MAX_EPOCHS", "1", "SOLVER.ITERS_PER_EPOCH", "1", "DEVICE", "cpu"]
THREE_LINES = """
import sys, reidzoo
from pathlib import Path
assert Path(reidzoo.__file__).is_relative_to(sys.prefix), reidzoo.__file__
model = reidzoo.load("domainmix_mini")
features = model.embed(sorted(Path("datasets-mini").glob("Market*/query/*.jpg"))[:3])
print(tuple(features.shape), round(float(features.norm()) ** 2, 3))
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel of a copy of the checkout and install it; returns the environment's folder of programs."""
    work = tmp_path_factory.mktemp("wheel")
    names = ("reidzoo", "configs", "projects", "zoo", "tools")
    for name in names:
        shutil.copytree(REPOSITORY / name, work / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(REPOSITORY / name, work / "src" / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(work), str(work / "src")]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = work.glob("reidzoo-*.whl")
    venv.create(work / "env", with_pip=False)
    (site,) = (work / "env").glob("lib/python*/site-packages")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    # A path line adds the packages that the tests run with, but not their editable installation of reidzoo.
    outer = next(path for path in map(Path, sys.path) if (path / "torch").is_dir())
    (site / "outer.pth").write_text(f"{outer}\n")
    return work / "env" / "bin"


@pytest.fixture(scope="module")
def call(installed, tmp_path_factory):
    """Return a function that runs the environment's Python in an empty folder, and gives what it printed."""
    folder = tmp_path_factory.mktemp("empty")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*words, code=0):
        command = [str(installed / "python"), *words]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    run.folder = folder
    return run


def test_the_readmes_commands_in_an_empty_folder(call):
    sets = ["Market1501", "CUHK03NP", "MSMT17", "RandPerson"]
    call("-m", "reidzoo", "render", "--data-root", "datasets-mini", "--scale", "0.25", "--datasets", *sets)
    printed = call("-m", "reidzoo", "train", *DEMO, *SHORT)
    assert "alternate" in printed and "mAP" in printed
    assert (call.folder / "output/DomainMix/mini/alternate/model_final.pth").is_file()
    assert call("-c", THREE_LINES).split() == ["(3,", "128)", "3.0"]
    printed = call(
        "-m",
        "reidzoo",
        "test",
        "--weights",
        "domainmix_mini",
        "--targets",
        "Market1501",
        "--data-root",
        "datasets-mini",
    )
    assert "domainmix_mini" in printed and "Market1501 twin" in printed


def test_all_own_models_load_and_their_plugins_come_along(call):
    code = """
import reidzoo
for name in reidzoo.zoo.list_models():
    if name.endswith("_mini"):
        print(reidzoo.load(name).info["name"])
"""
    kept = (REPOSITORY / "zoo").glob("*.safetensors")
    assert sorted(call("-c", code).split()) == sorted(path.stem for path in kept)


def test_what_needs_a_checkout_says_so(call):
    printed = call("-m", "reidzoo", "table", "projects/ECN/table2.yml", "--record", code=2)
    assert "run it in a checkout" in printed
