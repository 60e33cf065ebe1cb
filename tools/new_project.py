"""Write a new project from tools/project_template: python tools/new_project.py MyPaper."""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import sys
from pathlib import Path

from reidzoo.errors import UserError
from reidzoo.files import show_path
from reidzoo.registry import LOSS
from reidzoo.runs.cli import run_tool

REPOSITORY = Path(__file__).parent.parent
TEMPLATE = Path(__file__).parent / "project_template"
LONGEST = 24
"""So that no line of the template grows too long."""


def main() -> None:
    """Write the project and its tests, and say what to do next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", metavar="NAME", help="of the folder, such as MyPaper; its package is my_paper")
    parser.add_argument("--directory", type=Path, metavar="DIR", help="the folder of projects (default: projects/)")
    parser.add_argument("--title", default="", help="the paper's title, for the README")
    args = parser.parse_args()
    directory = (args.directory or REPOSITORY / "projects").resolve()
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
    print(f"{args.name} trains as it is. CONTRIBUTING.md says what to put into each file. Next:\n")
    print(f"python tools/train_net.py --config-file {show_path(project / 'mini.yml')}")
    print(f"python -m pytest {show_path(tests)}")
    print(f"python tools/run_table.py {show_path(project / 'table1.yml')} --mini --seeds 1")


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
    if taken or any((REPOSITORY / "projects").glob(f"*/{package}/__init__.py")):
        raise UserError(f"{name}: there is another package called {package!r}, and Python can hold one; rename yours")
    LOSS.import_from_location()
    others = (file.read_text(encoding="utf-8") for file in (REPOSITORY / "projects").glob("*/*/*.py"))
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


if __name__ == "__main__":
    run_tool(main)
