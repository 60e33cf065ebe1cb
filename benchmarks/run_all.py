"""Run all benchmarks and write benchmarks/RESULTS.md.

    python benchmarks/run_all.py              # the sizes that the targets name: half an hour, 16 GB of memory
    python benchmarks/run_all.py --small      # a minute, to see that everything runs
    python benchmarks/run_all.py --only loader.py training.py     # these anew; the page keeps the others' rows

Each runs in a process of its own. Nothing else should use the machine meanwhile; the table tells the load before each.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import load_average, machine

FOLDER = Path(__file__).resolve().parent
MARKET = "--queries 3368 --gallery 15913 --dim 2048"
MSMT17 = "--queries 11659 --gallery 82161 --dim 2048 --ids 3060"
CASES = [
    ("Market-1501's size", f"ranking.py {MARKET}"),
    ("MSMT17's size", f"ranking.py {MSMT17} --reference-queries 500"),
    ("MSMT17's size", f"ranking.py {MSMT17} --roc --skip-reference"),
    ("Market-1501's size", f"rerank.py {MARKET}"),
    ("", "clustering.py --images 16384 --dim 2048"),
    ("", "clustering.py --images 32768 --dim 2048 --skip-reference"),
    ("", "clustering.py --images 131072 --dim 256 --skip-reference"),
    ("Market-1501's training set", "kmeans.py --images 12936 --dim 2048 --clusters 500"),
    ("", "training.py --rounds 12"),
    ("", "training.py --rounds 12 --precision bf16"),
    ("", "training.py --net osnet --rounds 8 --each 5"),
    ("", "training.py --net osnet --rounds 8 --each 5 --precision bf16"),
    ("", "training.py --net r50ibn --rounds 6 --each 3"),
    ("", "training.py --net r50ibn --rounds 6 --each 3 --precision bf16"),
    *(("", f"loader.py --batches 40 --rounds 5 --workers {workers}") for workers in (0, 1, 2)),
    *(("", f"loader.py --batches 40 --rounds 5 --workers {workers} --cache on") for workers in (0, 1, 2)),
    ("", "extraction.py --images 2048 --rounds 5"),
    ("", "extraction.py --images 2048 --rounds 5 --cache off"),
    ("", "extraction.py --net r50ibn --images 256"),
    ("", "latency.py --calls 200 --rounds 5"),
    ("", "gallery.py --images 1000000 --queries 100"),
    ("", "startup.py --what help --rounds 5"),
    ("", "startup.py --what load --rounds 5"),
]
SMALL = [
    ("", "ranking.py"),
    ("", "ranking.py --metric euclidean --reference-queries 50 --roc"),
    ("", "ranking.py --roc --skip-reference"),
    ("", "rerank.py"),
    ("", "clustering.py"),
    ("", "clustering.py --images 2000 --reference-images 500"),
    ("", "kmeans.py"),
    ("", "training.py --each 2 --rounds 2 --ids 16"),
    ("", "loader.py --batches 2 --rounds 2 --workers 1"),
    ("", "loader.py --batches 2 --rounds 2 --cache on"),
    ("", "extraction.py --images 128 --batch 64"),
    ("", "latency.py --calls 5"),
    ("", "gallery.py"),
    ("", "startup.py --rounds 1"),
]
GOALS = (
    ("training.py", "", 0.97),  # less than 3 % beside a bare loop
    ("loader.py", "--cache on", 6.0),
    ("loader.py", "--workers 0", 3.0),
    ("loader.py", "--workers 2", 2.5),
    ("extraction.py", "--cache off", 0.0),
    ("extraction.py", "", 0.77),  # 1.3 times the bare pass
)
"""Script, an option of its command, and the least ratio aimed at, 0 for none; the first that fits counts."""
HEADER = ["what", "ours", "memory", "reference", "memory", "ratio", "goal", "of memory", "answers", "load before"]


def run(command: str) -> dict[str, Any]:
    """Run one benchmark and return its figures, with the load before it.

    Raises:
        SystemExit: it failed. (Answers that differ are figures, too.)
    """
    load = load_average()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "figures.json"
        script, *arguments = command.split()
        code = subprocess.call([sys.executable, str(FOLDER / script), *arguments, "--json", str(target)])
        if not target.exists():
            raise SystemExit(f"benchmarks/{command}: failed with code {code}; no table is written")
        return {**json.loads(target.read_text()), "load": load}


def goal(command: str, ratio: float) -> str:
    """Return the least ratio that is aimed at, and whether it is reached."""
    script = command.split()[0]
    least = next((least for name, option, least in GOALS if name == script and option in command), 0.0)
    return f"{least:g} x, {'reached' if ratio >= least else 'MISSED'}" if least else ""


def row(name: str, command: str, figures: dict[str, Any]) -> list[str]:
    """Return the cells of one benchmark."""
    ours, reference = figures["ours"], figures.get("reference")
    title = f"{figures['title']}{f' ({name})' if name else ''}"
    cells = [title, f"{ours['seconds']:.3g} s", _memory(ours)]
    if reference is None:
        return [*cells, "", "", "", "", "", "", str(figures["load"])]
    return [
        *cells,
        f"{reference['seconds']:.3g} s",
        _memory(reference),
        f"{figures['ratio']:.3g} x",
        goal(command, figures["ratio"]),
        f"{figures['memory_ratio']:.3g} x" if _memory(ours) else "",
        "agree" if figures["agree"] else "DIFFER",
        str(figures["load"]),
    ]


def _memory(figures: dict[str, Any]) -> str:
    return f"{figures['gigabytes']:.3f} GB" if figures["gigabytes"] else ""  # which is not measured everywhere


def page(results: list[tuple[str, str, dict[str, Any]]], small: bool) -> str:
    """Return the text of RESULTS.md.

    Args:
        results: name, command and figures of each benchmark.
        small: whether these are the small sizes, of which the text warns.
    """
    lines = ["# Benchmarks", "", "Written by `make bench`: each part against a reference, on the same data"]
    lines += [
        "in the same run. Memory is the peak beyond the data, which are synthetic. What a ratio is of, seconds or"
    ]
    lines += ["CPU time, the script says.", ""]
    if small:
        lines += ["**Small sizes** (`make bench SMALL=1`), where starting up counts most: no figures to go by.", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    lines += [f"- date: {datetime.date.today().isoformat()}", ""]
    lines += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    lines += ["| " + " | ".join(row(name, command, figures)) + " |" for name, command, figures in results]
    lines += ["", "Details, and the command of each:", ""]
    for _, command, figures in results:
        notes = [*figures.get("notes", []), *([figures["difference"]] if "difference" in figures else [])]
        lines.append(f"- `python benchmarks/{command}`: {'; '.join(notes)}".rstrip(": "))
    return "\n".join(lines) + "\n"


def renewed(page: str, new: str, scripts: Sequence[str]) -> str:
    """Return a page with the rows and details of ``new`` in the place of its own, and a line that says when."""
    again = f"- {', '.join(scripts)} again: {datetime.date.today().isoformat()}"
    lines = [line for line in page.splitlines() if line != again]
    dates = [number for number, line in enumerate(lines) if line.startswith("- date: ") or " again: 20" in line]
    lines.insert(dates[-1] + 1, again)
    place = 0
    for line in new.splitlines():
        key = line[: line.index("|", 2)] if line.startswith("| ") and not line.startswith("| what ") else ""
        key = key or (line[: line.index("`", 3) + 1] if line.startswith("- `python ") else "")
        if key:
            known = [number for number, old in enumerate(lines) if old.startswith(key)]
            place = known[0] if known else place + 1
            lines[place : place + len(known)] = [line]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run them all, write the table, and return 1 if any answers differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small sizes")
    parser.add_argument("--only", nargs="+", choices=sorted({case.split()[0] for _, case in CASES}), metavar="SCRIPT")
    parser.add_argument("--output", type=Path, default=FOLDER / "RESULTS.md")
    options = parser.parse_args(argv)
    cases = SMALL if options.small else CASES
    chosen = [case for case in cases if not options.only or case[1].split()[0] in options.only]
    results = [(name, command, run(command)) for name, command in chosen]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    text = page(results, options.small)
    if options.only:
        text = renewed(options.output.read_text(encoding="utf-8"), text, options.only)
    options.output.write_text(text, encoding="utf-8")
    print(f"wrote {options.output}")
    return int(any(not figures.get("agree", True) for _, _, figures in results))


if __name__ == "__main__":
    raise SystemExit(main())
