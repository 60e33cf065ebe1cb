"""The documentation builds without a warning and without a network, and what it says to write and to run works."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml

from reidzoo import registry
from reidzoo.commands import COMMANDS, main
from reidzoo.config import load_config
from reidzoo.engine.run_folder import RunFolder
from reidzoo.losses.loss_set import RESERVED

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
DOCUMENTS = [*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md"), *REPOSITORY.glob("projects/*/*.md")]
BLOCK = re.compile(r"^(?:`(?P<file>\S+)`:\n\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TINY = shlex.split(
    "INPUT.SIZE '[32, 16]' SOLVER.IMS_PER_BATCH 16 SOLVER.ITERS_PER_EPOCH 2 SOLVER.MAX_EPOCHS 1 LOG.PERIOD 1 DEVICE cpu"
)
PADDED = shlex.split("INPUT.TRANSFORMS.crop.pad 2 HOOKS.schedule.warmup_epochs 0")
CUT = shlex.split("INPUT.TRANSFORMS.crop.size '[28, 14]'")  # ADIN's images, larger than the pieces


def blocks(page, *languages):
    found = list(BLOCK.finditer((DOCS / page).read_text()))
    return [block for block in found if block["language"] in languages]


def runs_something(page):
    return bool(blocks(page, "python", "yaml") or trainings(page))


def trainings(page):
    lines = [line for block in blocks(page, "sh") for line in block["text"].splitlines()]
    return [line for line in lines if line.startswith("reidzoo train --config-file mine/")]


# ---- what the pages say ----------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path, tiny_root):
    """A folder like the checkout, with the tests' small datasets as ``datasets-mini``."""
    for name in ("configs", "projects", "tools"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "datasets-mini").symlink_to(tiny_root)
    return tmp_path


@pytest.fixture
def run(warm_python, workspace):
    """Return a function that runs ``python WORDS`` in the workspace, and returns what it prints."""

    def run(*words):
        done = warm_python.run(words, cwd=workspace)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def write_files(page, workspace):
    """Write the files that a page gives, a file for each piece of YAML without a name; returns the YAML's paths."""
    configurations = []
    for block in blocks(page, "python", "yaml"):
        name = block["file"] or f"fragment{block.start()}.yml"
        if block["file"] or block["language"] == "yaml":
            path = workspace / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block["text"])
        if block["language"] == "yaml":
            configurations.append(name)
    return configurations


def script(page):
    """Return the Python that a page runs, in the lines that it has there, so that a traceback names the page's line."""
    text = (DOCS / page).read_text()
    lines = [""] * text.count("\n")
    for block in blocks(page, "python"):
        if not block["file"]:
            first = text.count("\n", 0, block.start("text"))
            code = block["text"].splitlines()
            lines[first : first + len(code)] = code
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", [page for page in PAGES if runs_something(page)])
def test_what_a_page_gives_works(page, workspace, run):
    configurations = write_files(page, workspace)
    (workspace / "page.py").write_text(
        script(page) + f"from reidzoo.config import load_config\nfor name in {configurations}: load_config(name)\n"
    )
    said = run("page.py")
    for block in blocks(page, "text"):
        assert block["text"] in said, said
    for command in trainings(page):
        cfg = load_config(workspace / shlex.split(command)[3])
        run("-m", *shlex.split(command), *TINY, *(CUT if "size" in cfg.INPUT.TRANSFORMS.crop else PADDED))
        assert all(stage.finished for stage in RunFolder(workspace / cfg.OUTPUT_DIR).stages.values())


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_checked(page):
    """Blocks without a language are pictures in characters; commands are ``sh``, what Python prints is ``text``."""
    assert {block["language"] for block in blocks(page, "", "python", "sh", "text", "yaml")} == {
        block["language"] for block in BLOCK.finditer((DOCS / page).read_text())
    }
    for block in blocks(page, ""):
        assert not re.search(r"^(python|make|pip|reidzoo) ", block["text"], re.MULTILINE), block["text"]


# ---- commands --------------------------------------------------------------------------------------------------------


def command_lines(text):
    """Return each ``reidzoo COMMAND ...`` and ``tools/NAME.py ...`` of a document: its words, and what follows them."""
    text = text.replace("\\\n", " ")
    spans = [
        line for block in BLOCK.finditer(text) for line in block["text"].splitlines() if block["language"] != "python"
    ]
    spans += re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    command = re.compile(r"(?<![\w/.-])(?:tools/(\w+)\.py|reidzoo ([a-z][a-z-]*))(?!\S)([^;|&#]*)")
    return [match.groups() for span in spans for match in command.finditer(span)]


@functools.cache
def usage(tool, command):
    """Return what ``--help`` of a command, or of a script of tools/, prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as end:
        if command:
            main([command, "--help"])
        else:
            with mock.patch.object(sys, "argv", [tool, "--help"]):
                runpy.run_path(str(REPOSITORY / "tools" / f"{tool}.py"), run_name="__main__")
    assert not end.value.code
    return printed.getvalue()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_and_their_options_exist(document):
    text = document.read_text()
    for tool, command, rest in command_lines(text):
        assert command in COMMANDS if command else (REPOSITORY / "tools" / f"{tool}.py").is_file(), tool or command
        for option in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", rest):
            assert re.search(rf"(?<!\S){option}\b(?!-)", usage(tool, command)), f"{tool or command} has no {option}"
    targets = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)|`make (\w+)`", text, re.MULTILINE):
        assert re.search(rf"^{max(target)}:", targets, re.MULTILINE), target


# ---- the keys of the tables for those who come from another toolkit --------------------------------------------------


def keys_and_snippets():
    """Return the configuration keys and the YAML that the last columns name."""
    page = (DOCS / "coming-from.md").read_text()
    cells = [line.rsplit(" | ", 1)[1] for line in page.splitlines() if line.startswith("| `")]
    spans = [span for cell in cells for span in re.findall(r"`([^`]+)`", cell)]
    keys = [span for span in spans if re.fullmatch(r"[A-Z_]+(\.\w+)*", span)]
    return dict.fromkeys(keys), dict.fromkeys(span for span in spans if re.match(r"[A-Z_]+: \{", span))


def parameters(section, node):
    """Return the arguments that an entry may have."""
    if section == "OPTIMIZERS":
        return {*inspect.signature(getattr(torch.optim, node["type"])).parameters, "params", "lr_mult", "type"}
    name = {"LOSSES": "LOSS", "HOOKS": "HOOK", "MEMORIES": "MEMORY", "TRANSFORMS": "TRANSFORM", "TESTS": "DATASET"}
    part = getattr(registry, name.get(section, section)).get(node["type"])
    taken = {parameter for cls in part.__mro__[:-1] for parameter in inspect.signature(cls).parameters}
    return {*taken, "type", *(RESERVED if section == "LOSSES" else ())}


def section_of(path):
    return [name for name in path if name.isupper()][-1]


def test_the_keys_that_are_named_exist(workspace):
    page = "coming-from.md"
    files = [load_config(workspace / name) for name in write_files(page, workspace)]
    keys, _ = keys_and_snippets()
    assert len(keys) > 50
    for key in keys:
        *path, last = key.split(".")
        nodes = [functools.reduce(lambda node, name: node and node.get(name), path, cfg) for cfg in files]
        nodes = [node for node in nodes if node]
        named = any(last in node for node in nodes)
        assert named or any(last in parameters(section_of(path), node) for node in nodes if "type" in node), key


def typed(node, path=()):
    if isinstance(node, dict):
        if "type" in node:
            yield path, node
        for key, value in node.items():
            yield from typed(value, (*path, key))
    elif isinstance(node, list):
        for value in node:
            yield from typed(value, path)


@pytest.mark.slow
def test_the_yaml_that_is_named_loads(tmp_path):
    _, snippets = keys_and_snippets()
    assert len(snippets) > 15
    for snippet in snippets:
        (tmp_path / "snippet.yml").write_text(snippet + "\n")
        load_config(tmp_path / "snippet.yml")
        for path, node in typed(yaml.safe_load(snippet)):
            section = "DATASET" if path[0] == "DATASETS" else section_of(path)
            assert set(node) <= parameters(section, node), snippet


# ---- the site --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a connection that the build tried to make would fail."""
    for name in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), "NO_MKDOCS_2_WARNING": "1"}
    env |= dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_registered_part_is_on_its_page(site):
    names = [name for name in registry.__all__ if isinstance(getattr(registry, name), registry.Registry)]
    assert len(names) >= 12
    for name in names:
        page = (site / "registries" / name.lower() / "index.html").read_text()
        parts = getattr(registry, name)
        parts.import_from_location()
        for part, found in parts.module_dict.items():
            if found.__module__.startswith("reidzoo."):
                assert f'id="{found.__module__}.{found.__qualname__}"' in page, part


def test_every_project_has_a_page(site):
    projects = [path.parent.name for path in REPOSITORY.glob("projects/*/README.md")]
    assert projects and all((site / "papers" / name / "index.html").is_file() for name in projects)


def test_public_names_are_on_the_page_of_the_python_api(site):
    page = (site / "api" / "index.html").read_text()
    for module in ("reidzoo.errors", "reidzoo.hooks", "reidzoo.trainers"):
        base = {"reidzoo.hooks": "Hook", "reidzoo.trainers": "Trainer", "reidzoo.errors": "UserError"}[module]
        assert f'id="{getattr(importlib.import_module(module), base).__module__}.{base}"' in page


def test_a_reader_fetches_nothing_from_elsewhere(site):
    """Neither scripts, style sheets, fonts nor pictures; links to other sites are for the reader to follow."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        fetched = re.findall(
            r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?([^\"' >]+)", page.read_text()
        )
        assert fetched and not [address for address in fetched if re.match(r"(?:https?:)?//", address)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet
