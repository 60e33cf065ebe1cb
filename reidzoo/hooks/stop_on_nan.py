"""The end of a run whose loss is NaN or infinite, before it is saved over the last good checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reidzoo.engine.host_copy import HostCopy
from reidzoo.engine.runner import Runner
from reidzoo.errors import UserError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["StopOnNaNHook"]


class _Step(NamedTuple):
    """The losses of a step, and which step it was."""

    names: tuple[str, ...]
    losses: HostCopy
    where: str
    folder: Any


@HOOK.register_module()
class StopOnNaNHook(Hook):
    """Raises a UserError naming the losses, the stage and the iteration when one is NaN or infinite.

    On an accelerator it looks at a step's losses after the next step is queued, so that the device never waits for it;
    on the CPU at once. Nothing is evaluated or saved after such a step: the end of an epoch and ``state_dict``, which
    every checkpoint is made of, look at the last step's losses first.
    """

    priority = 5

    def __init__(self) -> None:
        self._last: _Step | None = None

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Take the step's losses, all in one transfer from the device, and look at those of the step before."""
        before, self._last = self._last, _take(runner, outputs) if outputs else None
        _check(before)
        if outputs and not _is_late(outputs):
            self.flush()

    def after_train_epoch(self, runner: Runner) -> None:
        """Check the losses before anything is measured."""
        self.flush()

    def flush(self) -> None:
        """Check the losses that have not been checked yet.

        Raises:
            UserError: a loss is NaN or infinite.
        """
        last, self._last = self._last, None
        _check(last)

    def state_dict(self) -> dict[str, Any]:
        """Return nothing, after a look: there is no state to save once a loss is not a number."""
        self.flush()
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


def _is_late(outputs: Mapping[str, Tensor]) -> bool:
    return any(value.device.type != "cpu" for value in outputs.values())


def _take(runner: Runner, outputs: Mapping[str, Tensor]) -> _Step:
    where = f"iteration {runner.iter} (epoch {runner.epoch + 1}, phase {runner.phase})"
    losses = torch.stack([value.detach().float() for value in outputs.values()])
    return _Step(tuple(outputs), HostCopy(losses), where, runner.output_dir)


def _check(step: _Step | None) -> None:
    if step is None:
        return
    bad = [f"{name} = {x}" for name, x in zip(step.names, step.losses.get().tolist()) if not math.isfinite(x)]
    if bad:
        raise UserError(
            f"{', '.join(bad)} at {step.where}. The last good checkpoint is kept in {step.folder}; lower the learning "
            f"rate, set SOLVER.GRAD_CLIP, or use SOLVER.PRECISION fp32"
        )
