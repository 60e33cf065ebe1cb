"""The base of hooks that report a run to an experiment tracker while it trains."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.checks import check, whole
from reidzoo.config import dump
from reidzoo.distributed import is_main
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import Hook
from reidzoo.hooks.log import LogHook
from reidzoo.needs import need
from reidzoo.visualization import image_sheet

__all__ = ["PICTURES", "TrackerHook", "scalars_of"]

PICTURES = (".png", ".jpg", ".svg")
ACROSS = 8
"""Images in a row of the first batch's sheet."""


class TrackerHook(Hook, ABC):
    """Passes on what ``LogHook`` writes into ``metrics.jsonl``, and pictures; a subclass says to whom.

    The x-axis is the number of steps of the stage. The file is the only source, and ``LogHook`` cuts it back to the
    checkpoint on resume, so that a resumed run goes on with the curve where it was: rows from the checkpoint's step on
    are passed on once more, and the subclass sees to it that no step is shown twice. A tracker that has nothing of the
    run yet gets the whole file.

    Pictures are the first batch as the network sees it, and, at the end, those that lie in the stage's folder, and in
    ``report`` in it, where ``reidzoo report`` was asked for while the run trained.

    Args:
        images: how many of the first batch are shown, at most; 0 for none.

    Attributes:
        module, extra: what a subclass imports, and the extra of the package that has it.
    """

    priority = 110  # behind LogHook, and behind CheckpointHook, which pauses the run
    module = ""
    extra = ""

    def __init__(self, images: int = 16) -> None:
        check(self, whole(0), images=images)
        self.images = images
        self._log: LogHook | None = None
        self._sent = 0

    # ---- what a subclass says -----------------------------------------------------------------------------------

    @abstractmethod
    def start(self, runner: Runner, name: str, config: str) -> bool:
        """Open the run at ``runner.iter`` steps; return whether the whole log is to be passed on, not only the rest.

        Args:
            runner: the trainer.
            name: of the run and stage.
            config: the stage's configuration as YAML.
        """

    @abstractmethod
    def put_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Record the values of one step; they are on disk when this returns, as far as the tracker can tell."""

    @abstractmethod
    def put_image(self, name: str, image: np.ndarray, step: int) -> None:
        """Keep a picture, uint8 (H, W, 3)."""

    @abstractmethod
    def put_file(self, path: Path, step: int) -> None:
        """Keep a picture's file, one of ``PICTURES``; or nothing, if the tracker cannot show it."""

    @abstractmethod
    def finish(self) -> None:
        """Close the run."""

    # ---- events ---------------------------------------------------------------------------------------------------

    def rehearse(self, runner: Runner) -> None:
        """Check that the tracker is installed, and that there is a log to pass on."""
        need(self.module, self.extra)
        _log_of(runner, type(self).__name__)

    def before_train(self, runner: Runner) -> None:
        """Open the run, or go on with it."""
        self._log = _log_of(runner, type(self).__name__)
        if not is_main():
            return
        run = Path(runner.cfg.OUTPUT_DIR)
        stage = runner.output_dir.name
        name = run.name if runner.output_dir.resolve() == run.resolve() else f"{run.name}/{stage}"
        whole = self.start(runner, name, dump(runner.cfg))
        self._sent = 0 if whole else _offset(runner.files.metrics, runner.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Pass on what a clustering found."""
        self._pass_on(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Pass on losses and learning rates, where the log has a new line, and show the first batch."""
        if runner.iter == 1 and self.images and is_main():
            for name, images in _images_in(data_batch):
                self.put_image(f"batch/{name}", _sheet(images[: self.images], runner.cfg.INPUT), runner.iter)
        self._pass_on(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Pass on what an evaluation found."""
        self._pass_on(runner)

    def save_point(self, runner: Runner) -> None:
        """Close the run when it is paused."""
        if runner.stop and is_main():
            self._pass_on(runner)
            self.finish()

    def after_train(self, runner: Runner) -> None:
        """Pass on the rest and the pictures in the stage's folder, and close the run."""
        self._pass_on(runner)
        if not is_main():
            return
        for folder in (runner.output_dir, runner.output_dir / "report"):
            for path in sorted(folder.glob("*")):
                if path.suffix in PICTURES:
                    self.put_file(path, runner.iter)
        self.finish()

    def _pass_on(self, runner: Runner) -> None:
        assert self._log is not None
        if not is_main() or self._log.size == self._sent:
            return
        with open(runner.files.metrics, "rb") as file:
            file.seek(self._sent)
            lines = file.read(self._log.size - self._sent).splitlines()
        for line in lines:
            row = json.loads(line)
            self.put_scalars(scalars_of(row), row["iter"])
        self._sent = self._log.size


def scalars_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a line of ``metrics.jsonl``, by names with slashes: ``loss/id``, ``evaluation/SET/mAP``.

    The epoch is that of lines of steps; at one step an evaluation's line counts one epoch more.
    """
    left_out = ("iter", "step") if "step" in row else ("iter", "epoch")
    named = _numbers({name: value for name, value in row.items() if name not in left_out})
    return {name if name == "epoch" or "/" in name else f"loss/{name}": value for name, value in named.items()}


def _numbers(node: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers in nested mappings by their keys, joined by slashes; what is no number is left out."""
    found: dict[str, float] = {}
    for name, value in node.items():
        if isinstance(value, Mapping):
            found |= {f"{name}/{inner}": x for inner, x in _numbers(value).items()}
        elif _is_number(value):
            found[name] = float(value)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _log_of(runner: Runner, name: str) -> LogHook:
    for hook in runner.hooks.values():
        if isinstance(hook, LogHook):
            return hook
    raise ConfigError(f"HOOKS: {name} passes on what LogHook writes, and there is none; do not set HOOKS.log to null")


def _offset(path: Path, step: int) -> int:
    """Return where the first line of at least ``step`` steps begins."""
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            if json.loads(line)["iter"] >= step:
                break
            offset += len(line)
    return offset


def _images_in(batch: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the images (B, 3, H, W) of a batch, or of each of its halves, by name."""
    if isinstance(batch, Mapping):
        for key, value in batch.items():
            if isinstance(value, Mapping):
                yield from _images_in(value, f"{name}{key}.")
            elif re.fullmatch(r"img\d*", str(key)) and isinstance(value, Tensor) and value.dim() == 4:
                yield f"{name}{key}", value


def _sheet(images: Tensor, inputs: Any) -> np.ndarray:
    """Return normalised images (B, 3, H, W) as one picture, uint8 (H, W, 3)."""
    mean, std = (torch.tensor(values, dtype=torch.float32).view(3, 1, 1) for values in (inputs.MEAN, inputs.STD))
    pixels = (images.detach().float().cpu() * std + mean).mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
    cells = [(image, None) for image in pixels.numpy()]
    return np.asarray(image_sheet([cells[start : start + ACROSS] for start in range(0, len(cells), ACROSS)]))
