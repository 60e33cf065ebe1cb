"""Logging: one line of JSON for each period of steps and for each evaluation."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reidzoo.distributed import is_main
from reidzoo.engine.runner import Runner
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["LogHook", "in_words"]

logger = logging.getLogger("reidzoo")
SHOWN = ("mAP", "rank-1", "mINP")
"""The figures of an evaluation that the console shows."""


@HOOK.register_module()
class LogHook(Hook):
    """Writes ``metrics.jsonl``: mean losses and learning rates every LOG.PERIOD steps, and what evaluations find.

    The file holds no times, so that a resumed run's file equals that of one that never stopped, byte for byte: on
    resume it is cut back to where the checkpoint was taken, before which it is brought to the disk. What people watch
    goes to the log: a line per epoch, with images per second and the time that the rest of the stage will take, and a
    line for each test set that was measured.

    The sums are kept on the device, in float64, and fetched when a line is written: no step in between waits for them.
    """

    priority = 60

    def __init__(self) -> None:
        self.size = 0
        self.path: Path | None = None  # of the process that writes
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.seen: dict[str, Any] = {}
        self.began, self.began_at = 0, time.perf_counter()

    def before_train(self, runner: Runner) -> None:
        """Cut the file back to the state, which is empty for a new run."""
        if is_main():
            self.path = runner.files.metrics
            self._cut(self.path)
        self.began, self.began_at = runner.iter, time.perf_counter()

    def _cut(self, path: Path) -> None:
        with open(path, "a+b") as file:
            length = file.tell()
            if length < self.size:
                logger.warning(
                    "%s has %d bytes, and had %d when the checkpoint was saved, as after a power failure; the lines "
                    "that it lacks are missing in curves and reports", path, length, self.size,
                )  # fmt: skip
                file.seek(0)
                self.size = file.read().rfind(b"\n") + 1
            file.truncate(self.size)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Add the step to the means; write them when the period is full."""
        for name, value in outputs.items():
            value = value.detach().to(torch.float32 if value.device.type == "mps" else torch.float64)
            self.sums[name] = self.sums[name].to(value.device) + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1
        if (batch_idx + 1) % runner.cfg.LOG.PERIOD == 0 or batch_idx + 1 == runner.loader.length:
            self._flush(runner, batch_idx + 1)

    def _flush(self, runner: Runner, step: int) -> None:
        means = {name: total / self.counts[name] for name, total in zip(self.sums, self._totals().tolist())}
        self.sums, self.counts = {}, {}
        self.seen = means
        rates = {f"lr/{name}": optim.lr for name, optim in runner.optims.items()}
        self._write(runner, {"iter": runner.iter, "epoch": runner.epoch, "step": step, **means, **rates})

    def before_train_epoch(self, runner: Runner) -> None:
        """Write what a clustering found."""
        self._write_metrics(runner, runner.epoch)

    def after_train(self, runner: Runner) -> None:
        """Write what the last clustering found, or an evaluation that had to be taken again."""
        self._write_metrics(runner, runner.epoch)

    def _write_metrics(self, runner: Runner, epochs: int) -> None:
        """Write the metrics of the moment, after ``epochs`` epochs, and forget them: a line for what was evaluated, and
        one for what was clustered.
        """
        evaluation, runner.metrics = dict(runner.metrics), {}
        clustering = {"pseudo_labels": evaluation.pop("pseudo_labels")} if "pseudo_labels" in evaluation else {}
        if is_main():
            for target, figures in evaluation.items():
                shown = [f"{name} {100 * figures[name]:.1f}" for name in SHOWN if name in figures]
                if shown:
                    logger.info("%s: %s (percent)", target, ", ".join(shown))
        for row in ({"evaluation": evaluation} if evaluation else {}, clustering):
            if row:
                self._write(runner, {"iter": runner.iter, "epoch": epochs, **row})

    def after_train_epoch(self, runner: Runner) -> None:
        """Write what an evaluation found, and say how the epoch went."""
        self._write_metrics(runner, runner.epoch + 1)
        if not is_main():
            return
        steps = runner.iter - self.began
        seconds = max(time.perf_counter() - self.began_at, 1e-9)
        rate = steps * runner.cfg.SOLVER.IMS_PER_BATCH * len(runner.sets) / seconds
        losses = "  ".join(f"{name} {value:.3f}" for name, value in self.seen.items())
        epochs_left = runner.max_epochs - runner.epoch - 1
        left = (
            f"  {in_words(epochs_left * runner.loader.length * seconds / steps)} left" if epochs_left and steps else ""
        )
        logger.info("epoch %d/%d  %s  %.0f images/s%s", runner.epoch + 1, runner.max_epochs, losses, rate, left)
        self.began, self.began_at = runner.iter, time.perf_counter()

    def _totals(self) -> Tensor:
        """Return the sums (losses,) in float64 on the CPU, in one transfer."""
        sums = list(self.sums.values())
        return (
            torch.stack([x.to(sums[0].device) for x in sums]).cpu().double()
            if sums
            else torch.zeros(0, dtype=torch.float64)
        )

    def _write(self, runner: Runner, row: Mapping[str, Any]) -> None:
        line = (json.dumps(row) + "\n").encode()
        self.size += len(line)
        if is_main():
            with open(runner.files.metrics, "ab") as file:
                file.write(line)

    def state_dict(self) -> dict[str, Any]:
        """Return how much has been written, which is on the disk when this returns, and the running sums."""
        if self.path is not None:
            with open(self.path, "ab") as file:
                os.fsync(file.fileno())
        keys = list(self.sums)
        return {
            "size": self.size,
            "keys": keys,
            "sums": self._totals(),
            "counts": [self.counts[key] for key in keys],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the running sums of a checkpoint."""
        self.size = state["size"]
        self.sums = dict(zip(state["keys"], state["sums"].unbind()))
        self.counts = dict(zip(state["keys"], state["counts"]))


def in_words(seconds: float) -> str:
    """Return a duration as people say it: ``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
