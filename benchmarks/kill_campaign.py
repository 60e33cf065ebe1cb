"""Strike a small run of two stages with signals at random moments, resume it, and compare it with one left in peace.

    python benchmarks/kill_campaign.py --minutes 15
    python benchmarks/kill_campaign.py --runs 2 --processes 1

Struck are one process or, under torchrun, one of two, both, or torchrun itself, by SIGKILL, SIGTERM, SIGINT or SIGUSR1;
a quarter of the times just when the first stage has ended. A run is struck up to three times and goes on to its end.
Losses (the bytes of ``metrics.jsonl``), labels, weights and optimizers' states must be those of the undisturbed run of
as many processes. The second stage has pseudo labels, a memory and a mean of weights. The exit code is 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("one", "two")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
CONFIG = {
    "DATASETS": {"TESTS": ["Market1501"]},
    "INPUT": {"SIZE": [32, 16], "TRANSFORMS": {"crop": {"pad": 2}}},
    "BACKBONE": {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""},
    "SOLVER": {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 15, "MAX_EPOCHS": 3, "CHECKPOINT_ITERS": 4},
    "LOG": {"PERIOD": 3},
    "DEVICE": "cpu",
    "STAGES": {
        "one": {
            "DATASETS": {"TRAIN": {"train": "RandPerson"}},
            "LOSSES": {"id": {"type": "CrossEntropyLoss"}, "triplet": {"type": "TripletLoss"}},
        },
        "two": {
            "DATASETS": {
                "TRAIN": {"source": "RandPerson", "target": {"type": "Unlabeled", "dataset": {"type": "Market1501"}}}
            },
            "WEIGHTS": {"model": "stage:one"},
            "WEIGHTS_IGNORE": ["head.classifier.*"],
            "MODEL": {"BN_DOMAINS": 2},
            "TRAINER": {"type": "DomainAdaptationTrainer"},
            "MEMORIES": {"memory": {"type": "HybridMemory"}},
            "CLUSTERER": {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "eps": 0.7, "min_samples": 2},
            "LOSSES": {
                "source": {"type": "CrossEntropyLoss", "inputs": {"logits": "source_scores", "pid": "source_label"}},
                "target": {"type": "CrossEntropyLoss", "inputs": {"logits": "target_scores", "pid": "target_label"}},
            },
            "HOOKS": {
                "memory": {"type": "MemoryHook"},
                "cluster": {"type": "PseudoLabelHook", "features": "memory", "outliers": "singletons"},
                "ema": {"type": "EMAHook", "momentum": 0.5},
            },
        },
    },
}


class Run:
    """One run in a folder, which can be started, struck and compared.

    Args:
        config: the YAML file.
        folder: its OUTPUT_DIR.
        processes: 1, or how many torchrun starts.
        data: the folder of datasets.
    """

    def __init__(self, config: Path, folder: Path, processes: int, data: str) -> None:
        self.config, self.folder, self.processes, self.data = config, folder, processes, data

    def start(self) -> subprocess.Popen:
        """Start it, or go on with it."""
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={self.processes}"]
        launcher += [f"--log-dir={self.folder.parent / 'torchrun'}"]
        words = [
            "--config-file",
            str(self.config),
            "--data-root",
            self.data,
            "--output-dir",
            str(self.folder),
            "--resume",
        ]
        command = [sys.executable, *(launcher if self.processes > 1 else []), str(ROOT / "tools" / "train_net.py")]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        with open(self.folder.with_suffix(".txt"), "ab") as said:
            return subprocess.Popen([*command, *words], cwd=ROOT, env=env, stdout=said, stderr=said)

    def between_stages(self) -> bool:
        """Return whether the first stage is done."""
        return (self.folder / "one" / "model_final.pth").exists()

    def difference(self, other: Run) -> str:
        """Return the first thing in which it differs from ``other``, "" if nothing does."""
        for stage in STAGES:
            ours, theirs = self.folder / stage, other.folder / stage
            for name in ("metrics.jsonl", "results.json"):
                if (ours / name).read_bytes() != (theirs / name).read_bytes():
                    return f"{stage}/{name}"
            states = [
                dict(leaves(torch.load(folder / "model_final.pth", weights_only=True))) for folder in (ours, theirs)
            ]
            if states[0].keys() != states[1].keys():
                return f"{stage}: the names in model_final.pth"
            for name, value in states[0].items():
                same = torch.equal(value, states[1][name]) if torch.is_tensor(value) else value == states[1][name]
                if not same:
                    return f"{stage}{name}"
        return ""


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the tensors and plain values of a checkpoint by their paths."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, f"{prefix}.{key}")
    else:
        yield prefix, value


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def strike(process: subprocess.Popen, run: Run, draw: random.Random, seconds: float) -> str:
    """Wait for a random moment and send a signal; return what was done, "" if the run was over before."""
    between = not run.between_stages() and draw.random() < 0.25
    until = time.monotonic() + (600 if between else draw.uniform(0, 1.1 * seconds))
    while process.poll() is None and time.monotonic() < until and not (between and run.between_stages()):
        time.sleep(0.002)
    number = draw.choice(SIGNALS)
    victims, whom = [process.pid], "the process"
    if run.processes > 1:
        workers = children(process.pid)
        whom = draw.choice(["one of two", "both"] if number == signal.SIGKILL else ["one of two", "both", "torchrun"])
        if whom != "torchrun" and len(workers) == run.processes:
            victims = [draw.choice(workers)] if whom == "one of two" else workers
        elif number in (signal.SIGKILL, signal.SIGUSR1):  # torchrun does not pass these on
            return ""
        else:
            whom = "torchrun"
    if process.poll() is not None:
        return ""
    for victim in victims:
        try:
            os.kill(victim, number)
        except ProcessLookupError:
            return ""
    return f"{number.name} to {whom}{', between stages' if between else ''}"


def undisturbed(config: Path, folder: Path, processes: int, data: str) -> tuple[Run, float]:
    """Return a run that was left in peace, and the seconds that it took."""
    run, begun = Run(config, folder / f"whole{processes}", processes, data), time.monotonic()
    if run.start().wait():
        raise SystemExit(f"the undisturbed run failed: {run.folder.with_suffix('.txt').read_text()}")
    print(f"undisturbed, {processes} process(es): {time.monotonic() - begun:.0f} s", flush=True)
    return run, time.monotonic() - begun


def disturbed(run: Run, draw: random.Random, seconds: float, counts: collections.Counter[str]) -> None:
    """Strike a run once to three times and let it end; count what was done and how it exited."""
    for strikes in range(draw.randint(1, 3) + 1, -1, -1):  # the last two parts are left in peace
        process = run.start()
        done = strike(process, run, draw, seconds) if strikes > 1 else ""
        code = process.wait()
        if done:
            counts[done] += 1
            counts[f"exit {code} after {done.partition(' to ')[0]}, {run.processes} process(es)"] += 1
        if code == 0:
            return


def campaign(
    runs: int, until: float, processes: Sequence[int], seed: int, folder: Path, data: str
) -> collections.Counter[str]:
    """Strike runs until there were so many, or until a moment; return the counts of all that happened."""
    draw, counts = random.Random(seed), collections.Counter[str]()
    config = folder / "campaign.yml"
    config.write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    whole = [undisturbed(config, folder, number, data) for number in processes]
    for count in range(runs):
        if time.monotonic() > until:
            break
        other, seconds = whole[count % len(whole)]
        run = Run(config, folder / f"run{count}", other.processes, data)
        disturbed(run, draw, seconds, counts)
        finished = (run.folder / "two" / "model_final.pth").exists()
        difference = run.difference(other) if finished else "it did not end"
        counts["DIFFERENT" if difference else "equal"] += 1
        print(f"run {count}: {difference or 'equal'}", flush=True)
        if difference:
            print(run.folder.with_suffix(".txt").read_text()[-3000:], flush=True)
        else:
            shutil.rmtree(run.folder)
    return counts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign and print its counts; returns 1 if a run differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=15, help="begin no run after so many minutes")
    parser.add_argument("--runs", type=int, default=sys.maxsize, help="at most so many runs")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--data-root", default=str(ROOT / "datasets-mini"), help="with RandPerson and Market-1501, or twins"
    )
    args = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what is in its background ignore it
    with tempfile.TemporaryDirectory(prefix="kill_campaign.") as folder:
        until = time.monotonic() + 60 * args.minutes
        counts = campaign(args.runs, until, args.processes, args.seed, Path(folder), args.data_root)
    for what, number in sorted(counts.items()):
        print(f"{number:5d}  {what}")
    return int(counts["DIFFERENT"] > 0 or not counts["equal"])


if __name__ == "__main__":
    sys.exit(main())
