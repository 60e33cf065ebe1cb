"""The layers: a folder imports only what stands below it, function-level imports too; the only way up is a registry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "reidzoo"
FLOORS = [
    {"errors", "files", "cores", "evenly_spaced", "version", "suggest", "warned", "distributed", "visualization"},
    {
        *("checks", "needs", "registry", "yaml_marks", "random_streams", "one_thread", "to_device", "add_rows"),
        *("half_precision", "neighbours", "render", "directions"),
    },
    {"yaml_check", "weights", "samplers", "transforms", "heads", "losses", "memories", "clustering", "evaluation"},
    {"config", "models", "backbones", "datasets"},
    {"zoo", "engine", "discriminators", "inspection"},
    {"hooks"},
    {"trainers", "runs"},
    {"inference", "tables", "testing"},
    {"publishing", "deployment", "gallery", "reporting"},
    {"commands"},
    {"__main__"},
    {"reidzoo"},  # the package itself, which every import of it passes through
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def folder(module: str) -> str:
    """Return the first-level folder or module of ``reidzoo.x.y``, ``reidzoo`` for the package itself."""
    return ([*module.split("."), "reidzoo"])[1]


def imported(tree: ast.Module, names: set[str]) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import of this package in a file, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from ((node.lineno, a.value) for a in node.args if isinstance(a, ast.Constant) and a.value in names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if inner in names else str(node.module)


def arrows() -> list[tuple[str, int, str]]:
    trees = dict(modules())
    return [
        (source, line, target)
        for source, tree in trees.items()
        for line, target in imported(tree, set(trees))
        if target.split(".")[0] == "reidzoo"
    ]


def test_every_folder_has_a_floor():
    assert {folder(name) for name, _ in modules()} == set(FLOOR)


def test_imports_run_downwards():
    upwards = [
        f"{source}:{line} imports {target}"
        for source, line, target in arrows()
        if folder(source) != folder(target) and FLOOR[folder(source)] <= FLOOR[folder(target)]
    ]
    assert not upwards, "a folder imports only what stands below it; the only way up is a registry"


def test_no_module_stands_on_itself():
    below: dict[str, set[str]] = {name: set() for name, _ in modules()}
    for source, _, target in arrows():
        below[source].add(target)
    while leaves := [name for name, targets in below.items() if not targets & set(below)]:
        for name in leaves:
            del below[name]
    assert not below, f"imports go in a circle: {', '.join(sorted(below))}"


def test_a_project_imports_no_other_and_the_package_none():
    projects = PACKAGE.parent / "projects"
    owner = {path.name: path.parent.name for path in projects.glob("*/*/") if (path / "__init__.py").is_file()}
    assert len(owner) > 5
    files = [*projects.rglob("*.py"), *PACKAGE.rglob("*.py")]
    strangers = []
    for path in files:
        mine = path.relative_to(projects).parts[0] if path.is_relative_to(projects) else ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            tops = {name.split(".")[0] for name in names}
            strangers += [f"{path}:{node.lineno} imports {top}" for top in tops if owner.get(top, mine) != mine]
    assert strangers == []


def test_a_file_registers_one_class():
    files = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "projects").rglob("*.py")]
    registered = re.compile(r"^@[A-Z_]+\.register_module\(.*\)\nclass ", re.MULTILINE)
    counts = {str(path): len(registered.findall(path.read_text(encoding="utf-8"))) for path in files}
    assert sum(counts.values()) > 100
    assert [name for name, count in counts.items() if count > 1] == []


def test_the_design_page_shows_the_floors():
    page = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    plan = page.split("The floors, from the ground up:")[1].split("```")[1]
    shown: dict[str, int] = {}
    number = 0
    for line in plan.splitlines():
        words = re.match(r"\s*(\d+)?\s+((?:[a-z_]+(?:/|\.py)(?:\s+|$))+)", line)
        if words:
            number = int(words[1]) - 1 if words[1] else number
            shown |= dict.fromkeys(re.findall(r"([a-z_]+)(?:/|\.py)", words[2]), number)
    top = {"commands": FLOORS.index({"commands"}), "__main__": len(FLOORS) - 2, "reidzoo": len(FLOORS) - 1}
    elsewhere = ("projects", "__init__")  # not folders of the package
    assert {name: floor for name, floor in (shown | top).items() if name not in elsewhere} == FLOOR
