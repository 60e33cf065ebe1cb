"""What the benchmarks of training, loading and extraction share: drawn people, baselines, and turns of two ways."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import Measurement, measured, memory_ratio, record
from PIL import Image
from torch import Tensor
from yacs.config import CfgNode

from reidzoo.config import load_config, stage_configs

__all__ = [
    "NETS", "Clock", "Cost", "Net", "beside_bare_pass", "config", "cost", "draw_people", "in_turns", "median", "ratio",
]  # fmt: skip


Notes = Callable[[Measurement, Measurement | None, tuple[float, float]], str]
"""Our measurement, the bare pass's or None, and how many times ours it took -> what is noted of it."""


class Net(NamedTuple):
    """One of the nets that the targets name."""

    backbone: str
    size: tuple[int, int]
    batch: int
    pad: int


NETS = {
    "r18": Net("{type: ResNet, depth: 18, width: 16, last_stride: 1, pretrained: ''}", (64, 32), 64, 4),
    "osnet": Net("{type: OSNet, width: 0.25, pretrained: ''}", (128, 64), 64, 5),
    "r50ibn": Net("{type: ResNet, depth: 50, ibn: a, last_stride: 1, pretrained: ''}", (256, 128), 16, 10),
}


def draw_people(folder: Path, ids: int, per_id: int) -> None:
    """Write JPEGs in Market-1501's layout, 64 x 128 pixels as its own: blocks of colour, with noise."""
    train = folder / "Market-1501-v15.09.15" / "bounding_box_train"
    for name in ("bounding_box_train", "query", "bounding_box_test"):
        (train.parent / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for pid in range(2, 2 + ids):
        colour = rng.integers(0, 256, (16, 8, 3))
        for number in range(per_id):
            pixels = np.clip(colour + rng.integers(-30, 30, (16, 8, 3)), 0, 255).astype(np.uint8)
            image = Image.fromarray(pixels).resize((64, 128))
            image.save(train / f"{pid:04d}_c{number % 6 + 1}s1_{number:06d}_00.jpg", quality=90)
    (train.parent / "twin.json").write_text("{}")


def config(folder: Path, net: Net, steps: int, *opts: object) -> CfgNode:
    """Return the baseline's configuration on the people in ``folder``, one epoch of ``steps`` batches."""
    path = folder / "baseline.yml"
    path.write_text(
        f"""
DATASETS: {{ROOT: {folder}, TRAIN: {{train: Market1501}}, TESTS: []}}
INPUT: {{SIZE: [{net.size[0]}, {net.size[1]}], TRANSFORMS: {{crop: {{pad: {net.pad}}}}}}}
BACKBONE: {net.backbone}
LOSSES: {{id: {{type: CrossEntropyLoss, smoothing: 0.1}}, triplet: {{type: TripletLoss}}}}
SOLVER: {{MAX_EPOCHS: 1, IMS_PER_BATCH: {net.batch}, ITERS_PER_EPOCH: {steps}}}
HOOKS: {{evaluate: null, schedule: {{type: MultiStepSchedule, milestones: [40, 70], warmup_epochs: 10}}}}
DEVICE: cpu
"""
    )
    (stage,) = stage_configs(load_config(str(path), opts=[str(word) for word in opts])).values()
    return stage


class Cost(NamedTuple):
    """What a call took: seconds, and CPU seconds of this process and of those that it has waited for."""

    seconds: float
    cpu: float


class Clock:
    """Measures what passes from its making on."""

    def __init__(self) -> None:
        self._begin, self._cpu = time.perf_counter(), _cpu()

    def passed(self) -> Cost:
        """Return what has passed."""
        return Cost(time.perf_counter() - self._begin, _cpu() - self._cpu)


def cost(function: Callable[[], Any]) -> Cost:
    """Call ``function`` and return what it took."""
    clock = Clock()
    function()
    return clock.passed()


def in_turns(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Cost]]:
    """Call every way once a round, so that they meet the same machine, and return their costs."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            costs[name].append(cost(way))
    return costs


def ratio(one: list[Cost], other: list[Cost]) -> tuple[float, float]:
    """Return the medians over the rounds of how many times one took what the other took: of seconds, and of CPU."""
    pairs = list(zip(one, other, strict=True))
    return statistics.median(a.seconds / b.seconds for a, b in pairs), statistics.median(
        a.cpu / b.cpu for a, b in pairs
    )


def median(costs: list[Cost], answer: Any = None, peak: int = 0) -> Measurement:
    """Return the median of the rounds as a measurement."""
    return Measurement(answer, *(statistics.median(values) for values in zip(*costs)), peak)


def beside_bare_pass(
    options: Any,
    title: str,
    ours: Callable[[], Tensor],
    bare: Callable[[], Tensor],
    limit: float,
    what: str,
    notes: Notes,
) -> int:
    """Measure ``ours`` beside the bare forward pass, in turns, print and record it; return 1 if the answers differ.

    Args:
        options: with ``rounds``, ``skip_reference`` and ``json``.
        title: what is measured.
        ours: returns values (N, D).
        bare: returns values (n, D), n at most N; the first n of ours are compared with them.
        limit: the difference from which on they differ.
        what: a value is called.
        notes: our measurement, and the bare pass's or None -> the note of our line, and those of the comparison.
    """
    mine, plain = measured(ours), measured(bare)  # the first fills what is kept
    costs = in_turns({"ours": ours} if options.skip_reference else {"ours": ours, "bare": bare}, options.rounds)
    rows = min(len(mine.answer), len(plain.answer))
    apart = float((mine.answer[:rows] - plain.answer[:rows]).abs().max())
    found = median(costs["ours"], peak=mine.peak)
    print(title)
    print(found.line("ours", notes(found, None, (0.0, 0.0))))
    if options.skip_reference:
        record(options.json, title, found)
        return 0
    theirs, times = median(costs["bare"], peak=plain.peak), ratio(costs["bare"], costs["ours"])
    note, difference = notes(found, theirs, times), f"largest difference of {what} {apart:.1e}"
    print(theirs.line("bare pass"))
    print(f"ratio {times[1]:.3f} x: {note}")
    print(difference)
    figures = {"reference": theirs, "ratio": times[1], "agree": apart < limit, "difference": difference}
    record(options.json, title, found, memory_ratio=memory_ratio(found, theirs), notes=[note], **figures)
    return int(apart >= limit)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
