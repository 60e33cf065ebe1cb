"""The figures as a page.

python benchmarks/gpu/report.py output/gpu.json > benchmarks/RESULTS_GPU.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tabulate import tabulate

INTRODUCTION = """# Benchmarks on one GPU

Written by `make bench-gpu`, from the figures of `python benchmarks/gpu`. Rates are images per second, medians of three
rounds; all rows of a section come from one process, one after the other.
"""


def page(results: dict[str, Any]) -> str:
    """Return the whole page as Markdown."""
    seconds = results.get("seconds", {})
    parts = [
        INTRODUCTION,
        *(section(name, found, seconds.get(name)) for name, found in results.items() if name != "seconds"),
    ]
    return "\n".join(parts)


def section(name: str, found: Any, seconds: float | None) -> str:
    """Return one section: figures by name as one table, figures by case and name as another."""
    title = f"## {name}" + (f" ({seconds} s)" if seconds is not None else "") + "\n"
    if not isinstance(found, dict):
        return f"{title}\n{found}\n"
    plain = {key: value for key, value in found.items() if not isinstance(value, dict | list)}
    nested = {key: value for key, value in found.items() if isinstance(value, dict)}
    tables = []
    if nested:
        columns = list(dict.fromkeys(column for value in nested.values() for column in value))
        rows = [[key, *(value.get(column, "") for column in columns)] for key, value in nested.items()]
        tables.append(tabulate(rows, ["", *columns], tablefmt="pipe"))
    if plain:
        tables.append(tabulate(list(plain.items()), ["what", "figure"], tablefmt="pipe", disable_numparse=True))
    return title + "\n" + "\n\n".join(tables) + "\n"


if __name__ == "__main__":
    print(page(json.loads(Path(sys.argv[1]).read_text())), end="")
