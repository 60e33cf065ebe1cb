"""Measure reidzoo on one GPU: parity with the CPU, training and loading rates, ranking and clustering, resume.

    python benchmarks/gpu --out output/gpu.json                     # one H100, at most 8 minutes
    python benchmarks/gpu --device cpu --tiny --out output/gpu.json # checks the sections themselves

``--only a,b`` picks sections. Each writes its figures into the JSON as soon as it ends; a section that fails leaves its
traceback there and the others go on. One is left out if less than its allowance of ``--budget`` seconds is left.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from env import env
from loading import extract, loader
from parity import parity
from peer import peer
from resume import checkpoint, resume
from retrieval import cluster, rank
from shared import ARGS, device, free, left, say, write_data
from train import compiled, train
from variants import variants
from waits import profile, waits

SECTIONS: dict[str, tuple[Callable[[], dict], float]] = {
    "env": (env, 5), "parity": (parity, 20), "variants": (variants, 40), "waits": (waits, 25), "train": (train, 90),
    "peer": (peer, 40), "profile": (profile, 20), "loader": (loader, 30), "extract": (extract, 20), "rank": (rank, 25),
    "cluster": (cluster, 30), "checkpoint": (checkpoint, 10), "resume": (resume, 40), "compiled": (compiled, 90),
}  # fmt: skip
"""Name -> what measures it, and the seconds that it may take."""


def main() -> int:
    """Run the chosen sections; returns 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes that only check the sections")
    parser.add_argument("--only", default="", help=f"of {', '.join(SECTIONS)}, separated by commas")
    parser.add_argument("--out", type=Path, default=Path("output/gpu.json"))
    parser.add_argument("--budget", type=float, default=460, help="seconds in all")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave out torch.compile (minutes)")
    parser.parse_args(namespace=ARGS)
    device()
    chosen = ARGS.only.split(",") if ARGS.only else list(SECTIONS)
    unknown = [name for name in chosen if name not in SECTIONS]
    if unknown:
        parser.error(f"--only: there is no section {unknown[0]!r}; the sections are {', '.join(SECTIONS)}")
    results: dict = {}
    with tempfile.TemporaryDirectory() as ARGS.work:
        write_data()
        for name in chosen:
            run(name, results)
    say("done;", ARGS.out)
    return int(any("traceback" in str(found) for found in results.values()))


def run(name: str, results: dict) -> None:
    """Run one section, if there is time, and write what it found."""
    section, allowance = SECTIONS[name]
    begin = time.perf_counter()
    if left() < allowance and not ARGS.tiny:
        results[name] = f"left out: {left():.0f} s are left of {ARGS.budget:.0f}"
        say(name, results[name])
    else:
        try:
            results[name] = section()
        except Exception:
            results[name] = {"traceback": traceback.format_exc()}
            say(name, "FAILED\n" + results[name]["traceback"])
        results.setdefault("seconds", {})[name] = round(time.perf_counter() - begin, 1)
        free()
    ARGS.out.parent.mkdir(parents=True, exist_ok=True)
    ARGS.out.write_text(json.dumps(results, indent=1, default=str) + "\n")
    if name == "env":
        say("env", json.dumps(results["env"], default=str))


if __name__ == "__main__":
    sys.exit(main())
