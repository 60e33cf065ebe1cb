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


SECTIONS = (
    "env", "parity", "variants", "waits", "train", "peer", "profile", "loader", "extract", "rank", "cluster",
    "checkpoint", "resume", "compiled",
)  # fmt: skip


def page(runs: dict[str, dict[str, Any]]) -> str:
    """Return the whole page as Markdown: the runs by name, the newest first, and what that one says of the aims."""
    aimed = aims(next(iter(runs.values())))
    return "\n".join([INTRODUCTION, aimed, *(f"# {name}\n\n{part(results)}" for name, results in runs.items())])


def aims(results: dict[str, Any]) -> str:
    """Return what was aimed at, beside what a run measured of it, and the sections that it left out."""
    rates, peer, profile = (results.get(name, {}) for name in ("train", "peer", "profile"))
    graph = "`SOLVER.COMPILE graph`"
    rows = [
        ("as fast as a bare loop, eager", 0.97, _ratio(rates, "ours bf16", "bare bf16")),
        (f"the same with {graph}, beside an eager bare loop", 0.97, _ratio(rates, "ours bf16, graph", "bare bf16")),
        ("times fastreid's design, eager", 2.0, _found(peer, "ours: ratio to the peer")),
        (f"times fastreid's design, {graph}", 2.0, _found(peer, "ours, COMPILE graph: ratio to the peer")),
        ("share of a step in which the GPU is busy", 0.95, _found(profile, "busy")),
    ]
    table = [(what, least, *_verdict(least, value)) for what, least, value in rows]
    left = [name for name in SECTIONS if not isinstance(results.get(name), dict)]
    end = f"\nNot measured by the newest run: {', '.join(left)}.\n" if left else ""
    return "## What was aimed at\n\n" + tabulate(table, ["", "at least", "found", ""], tablefmt="pipe") + "\n" + end


def _ratio(rates: Any, ours: str, bare: str) -> float | None:
    pair = [rates.get(name) for name in (ours, bare)] if isinstance(rates, dict) else [None]
    return pair[0]["img_s"] / pair[1]["img_s"] if all(isinstance(rate, dict) for rate in pair) else None


def _found(figures: Any, words: str) -> float | None:
    """Return the least figure whose name begins with ``words``, in the section or in one of its cases."""
    if not isinstance(figures, dict):
        return None
    cases = [figures, *(value for value in figures.values() if isinstance(value, dict))]
    values = [value for case in cases for name, value in case.items() if name.startswith(words)]
    return min((value for value in values if isinstance(value, int | float)), default=None)


def _verdict(least: float, value: float | None) -> tuple[str, str]:
    return ("not measured", "") if value is None else (f"{value:.2f}", "reached" if value >= least else "MISSED")


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
