"""The base of learning rate schedules: pure functions of the iteration, so that a resumed run cannot get them wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from reidzoo.checks import PROBABILITY, TEXT, check, each, number
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import Hook

__all__ = ["Schedule", "WarmUp", "share_done"]


class WarmUp(Hook):
    """Sets learning rates before each step, and lets them grow linearly at first; the base of schedules.

    Args:
        optimizers: which optimizers; all of them by default.
        warmup_epochs: epochs during which what the schedule says is multiplied by a number that grows linearly from
            ``warmup_factor`` to 1. May be a fraction.
        warmup_factor: where the warm-up starts, in [0, 1].
    """

    priority = 20

    def __init__(self, optimizers: Sequence[str] = (), warmup_epochs: float = 0, warmup_factor: float = 0.01) -> None:
        check(self, each(TEXT), optimizers=optimizers)
        check(self, number(0), warmup_epochs=warmup_epochs)
        check(self, PROBABILITY, warmup_factor=warmup_factor)
        self.optimizers, self.warmup_epochs, self.warmup_factor = tuple(optimizers), warmup_epochs, warmup_factor

    def set_rates(self, runner: Runner, name: str, epoch: float, warm: float) -> None:
        """Set the rates of optimizer ``name`` at ``epoch``, a fraction within an epoch, all of them times ``warm``."""
        raise NotImplementedError(f"{type(self).__name__} needs a set_rates(runner, name, epoch, warm)")

    def before_train(self, runner: Runner) -> None:
        """Check that the optimizers exist."""
        unknown = set(self.optimizers) - set(runner.optims)
        if unknown:
            raise ConfigError(
                f"HOOKS: {type(self).__name__} names the optimizers {sorted(unknown)}; "
                f"there are {sorted(runner.optims)}"
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the learning rates of the coming step."""
        epoch, warm = runner.epoch + batch_idx / max(runner.loader.length, 1), 1.0
        if epoch < self.warmup_epochs:
            warm = self.warmup_factor + (1 - self.warmup_factor) * epoch / self.warmup_epochs
        for name in self.optimizers or runner.optims:
            self.set_rates(runner, name, epoch, warm)


class Schedule(WarmUp):
    """Sets learning rates to ``factor`` times their configured value before each step.

    A schedule has no state: its factor is a pure function of the iteration. torch's schedulers count calls instead, and
    a count that a resume restores wrongly is the field's commonest wrong learning rate.
    """

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return the factor at ``epoch``, a fraction within an epoch, without the warm-up."""
        raise NotImplementedError(f"{type(self).__name__} needs a factor(epoch, max_epochs)")

    def rehearse(self, runner: Runner) -> None:
        """Check the optimizers, and the factor at both ends of the training."""
        self.before_train(runner)
        for epoch in (0.0, float(runner.max_epochs)):
            factor = self.factor(epoch, runner.max_epochs)
            if not (isinstance(factor, int | float) and 0 <= factor < math.inf):
                raise ConfigError(
                    f"HOOKS: {type(self).__name__}.factor({epoch}, {runner.max_epochs}) is {factor!r}; a factor on the "
                    f"learning rate is a number from 0 up"
                )

    def set_rates(self, runner: Runner, name: str, epoch: float, warm: float) -> None:
        """Set the rates to ``warm`` times the factor times the configured ones."""
        runner.optims[name].scale_lr(self.factor(epoch, runner.max_epochs) * warm)


def share_done(epoch: float, begin: float, end: float) -> float:
    """Return which share of the way from ``begin`` to ``end`` is done at ``epoch``, in [0, 1]."""
    return min(max((epoch - begin) / max(end - begin, 1e-9), 0.0), 1.0)
