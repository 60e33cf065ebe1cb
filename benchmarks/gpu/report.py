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


def page(runs: dict[str, dict[str, Any]]) -> str:
    """Return the whole page as Markdown: the runs by name, the newest first."""
    return "\n".join([INTRODUCTION, *(f"# {name}\n\n{part(results)}" for name, results in runs.items())])


def part(results: dict[str, Any]) -> str:
    """Return the sections of one run."""
    seconds = results.get("seconds", {})
    return "\n".join(section(name, found, seconds.get(name)) for name, found in results.items() if name != "seconds")


def section(name: str, results: Any, seconds: float | None) -> str:
    """Return one section: figures by name as one table, figures by case and name as another."""
    title = f"## {name}" + (f" ({seconds} s)" if seconds is not None else "") + "\n"
    if not isinstance(results, dict):
        return f"{title}\n{results}\n"
    plain = {key: value for key, value in results.items() if not isinstance(value, dict | list)}
    nested = {key: value for key, value in results.items() if isinstance(value, dict)}
    tables = []
    if nested:
        columns = list(
            dict.fromkeys(
                key for value in nested.values() for key, found in value.items() if not isinstance(found, list)
            )
        )
        rows = [[key, *(value.get(column, "") for column in columns)] for key, value in nested.items()]
        tables.append(tabulate(rows, ["", *columns], tablefmt="pipe"))
    if plain:
        tables.append(tabulate(list(plain.items()), ["what", "figure"], tablefmt="pipe", disable_numparse=True))
    return title + "\n" + "\n\n".join(tables) + "\n"


if __name__ == "__main__":
    print(page({Path(file).stem: json.loads(Path(file).read_text()) for file in sys.argv[1:]}), end="")
