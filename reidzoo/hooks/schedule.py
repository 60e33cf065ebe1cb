"""Learning rate schedules: pure functions of the iteration, so that a resumed run cannot get them wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from reidzoo.checks import PROBABILITY, TEXT, check, each, number
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["ConstantSchedule", "CosineSchedule", "LinearSchedule", "MultiStepSchedule", "Schedule"]


class Schedule(Hook):
    """Sets learning rates to ``factor`` times their configured value before each step.

    Args:
        optimizers: which optimizers; all of them by default.
        warmup_epochs: epochs during which the factor grows linearly from ``warmup_factor`` to 1. May be a fraction.
        warmup_factor: where the warm-up starts, in [0, 1].

    A schedule has no state: its factor is a pure function of the iteration. torch's schedulers count calls instead, and
    a count that a resume restores wrongly is the field's commonest wrong learning rate.
    """

    priority = 20

    def __init__(self, optimizers: Sequence[str] = (), warmup_epochs: float = 0, warmup_factor: float = 0.01) -> None:
        check(self, each(TEXT), optimizers=optimizers)
        check(self, number(0), warmup_epochs=warmup_epochs)
        check(self, PROBABILITY, warmup_factor=warmup_factor)
        self.optimizers, self.warmup_epochs, self.warmup_factor = tuple(optimizers), warmup_epochs, warmup_factor

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return the factor at ``epoch``, a fraction within an epoch, without the warm-up."""
        raise NotImplementedError(f"{type(self).__name__} needs a factor(epoch, max_epochs)")

    def before_train(self, runner: Runner) -> None:
        """Check that the optimizers exist."""
        unknown = set(self.optimizers) - set(runner.optims)
        if unknown:
            raise ConfigError(
                f"HOOKS: {type(self).__name__} names the optimizers {sorted(unknown)}; "
                f"there are {sorted(runner.optims)}"
            )

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

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the learning rates of the coming step."""
        epoch = runner.epoch + batch_idx / max(runner.loader.length, 1)
        factor = self.factor(epoch, runner.max_epochs)
        if epoch < self.warmup_epochs:
            factor *= self.warmup_factor + (1 - self.warmup_factor) * epoch / self.warmup_epochs
        for name in self.optimizers or runner.optims:
            runner.optims[name].scale_lr(factor)


@HOOK.register_module()
class ConstantSchedule(Schedule):
    """Keeps the learning rate as configured, after the warm-up."""

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return 1."""
        return 1.0


@HOOK.register_module()
class MultiStepSchedule(Schedule):
    """Multiplies the learning rate by ``gamma``, in [0, 1], at each of ``milestones`` (epochs)."""

    def __init__(self, milestones: Sequence[float], gamma: float = 0.1, **warmup: Any) -> None:
        super().__init__(**warmup)
        check(self, each(number(0)), milestones=milestones)
        check(self, PROBABILITY, gamma=gamma)
        self.milestones, self.gamma = sorted(milestones), gamma

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return gamma to the power of the milestones passed."""
        return self.gamma ** sum(epoch >= milestone for milestone in self.milestones)


@HOOK.register_module()
class CosineSchedule(Schedule):
    """Lowers the learning rate along half a cosine, to ``end`` times its value at the last epoch."""

    def __init__(self, end: float = 0.0, **warmup: Any) -> None:
        super().__init__(**warmup)
        check(self, PROBABILITY, end=end)
        self.end = end

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return end + (1 - end) (1 + cos(pi t)) / 2, t = epoch / max_epochs."""
        return self.end + (1 - self.end) * (1 + math.cos(math.pi * min(epoch / max_epochs, 1))) / 2


@HOOK.register_module()
class LinearSchedule(Schedule):
    """Lowers the learning rate linearly from epoch ``begin`` on, to ``end`` times its value at the last epoch."""

    def __init__(self, begin: float = 0.0, end: float = 0.0, **warmup: Any) -> None:
        super().__init__(**warmup)
        check(self, number(0), begin=begin)
        check(self, PROBABILITY, end=end)
        self.begin, self.end = begin, end

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return 1 until ``begin``, then the straight line to ``end``."""
        done = (epoch - self.begin) / max(max_epochs - self.begin, 1e-9)
        return 1 - (1 - self.end) * min(max(done, 0.0), 1.0)
