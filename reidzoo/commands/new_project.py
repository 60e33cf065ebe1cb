"""Write the files of a new paper's project: a package, configurations, a table, a README and a test."""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import sys
from pathlib import Path

from reidzoo.errors import UserError
from reidzoo.files import show_path
from reidzoo.version import ROOT

__all__ = ["EXAMPLE", "add_arguments", "check_name", "package_name", "run"]

EXAMPLE = 'reidzoo new-project MyPaper --title "My Paper: It Works"'
TEMPLATE = ROOT / "tools" / "project_template"
LONGEST = 24
"""So that no line of the template grows too long."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="NAME", help="of the folder, such as MyPaper; its package is my_paper")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("projects"),
        metavar="DIR",
        help="the folder of projects (default: projects)",
    )
    parser.add_argument("--title", default="", help="the paper's title, for the README")


def run(args: argparse.Namespace) -> None:
    """Write the project and its tests, and say what to do next."""
    directory = args.directory.resolve()
    package = package_name(args.name)
    check_name(args.name, package)
    project, tests = directory / args.name, directory.parent / "tests" / directory.name / args.name
    for folder in (project, tests):
        if folder.exists():
            raise UserError(f"{show_path(folder)} is there already; choose another name, or remove it first")
    words = {"projects/ProjectName": f"{directory.name}/{args.name}", "project_name": package, "ProjectName": args.name}
    if args.title:
        words["*Title*"] = f"*{args.title}*"
    files = [*write(TEMPLATE / "project", project, words), *write(TEMPLATE / "tests", tests, words)]
    print("".join(f"{show_path(file)}\n" for file in files))
    print(f"{args.name} trains as it is. Each file says what belongs into it. Next:\n")
    print(f"reidzoo train --config-file {show_path(project / 'mini.yml')}")
    print(f"python -m pytest {show_path(tests)}")
    print(f"reidzoo table {show_path(project / 'table1.yml')} --mini --seeds 1")


def package_name(name: str) -> str:
    """Return the package of a project: ``MyPaper`` has ``my_paper``, ``ADIN`` has ``adin``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def check_name(name: str, package: str) -> None:
    """Check that ``name`` can name a project, its package and its loss.

    Raises:
        UserError: it cannot; the message says why.
    """
    if not name.isascii() or not name.isidentifier() or name.startswith("_") or keyword.iskeyword(package):
        raise UserError(f"{name!r} cannot name a project: take letters and digits, a letter first, such as MyPaper")
    if len(name) > LONGEST:
        raise UserError(f"{name!r} is longer than {LONGEST} letters; choose a shorter name")
    taken = package in sys.stdlib_module_names or importlib.util.find_spec(package) is not None
    if taken or any((ROOT / "projects").glob(f"*/{package}/__init__.py")):
        raise UserError(f"{name}: there is another package called {package!r}, and Python can hold one; rename yours")
    from reidzoo.registry import LOSS

    LOSS.import_from_location()
    others = (file.read_text(encoding="utf-8") for file in (ROOT / "projects").glob("*/*/*.py"))
    if f"{name}Loss" in LOSS.module_dict or any(f"class {name}Loss(" in text for text in others):
        raise UserError(f"{name}: there is a loss called {name}Loss already; choose another name")


def write(template: Path, folder: Path, words: dict[str, str]) -> list[Path]:
    """Copy the files below ``template`` into ``folder``, with each of ``words`` replaced, also in the files' names."""
    written = []
    for source in sorted(path for path in template.rglob("*") if path.suffix in (".py", ".yml", ".md")):
        file = folder / replace(str(source.relative_to(template)), words)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(replace(source.read_text(encoding="utf-8"), words), encoding="utf-8")
        written.append(file)
    return written


def replace(text: str, words: dict[str, str]) -> str:
    """Return ``text`` with each key of ``words`` replaced by its value, in one go, the keys' order deciding."""
    return re.sub("|".join(map(re.escape, words)), lambda match: words[match[0]], text)
