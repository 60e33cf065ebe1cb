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

__all__ = [
    "ConstantSchedule", "CosineSchedule", "LinearSchedule", "MultiStepSchedule", "OneCycleSchedule",
    "PolynomialSchedule", "Schedule", "WarmUp",
]  # fmt: skip


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
    """Lowers the learning rate along half a cosine from epoch ``begin`` on, to ``end`` times its value at the last."""

    def __init__(self, end: float = 0.0, begin: float = 0.0, **warmup: Any) -> None:
        super().__init__(**warmup)
        check(self, PROBABILITY, end=end)
        check(self, number(0), begin=begin)
        self.end, self.begin = end, begin

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return end + (1 - end) (1 + cos(pi t)) / 2, t = (epoch - begin) / (max_epochs - begin) from 0 to 1."""
        done = _done(epoch, self.begin, max_epochs)
        return self.end + (1 - self.end) * (1 + math.cos(math.pi * done)) / 2


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
        return 1 - (1 - self.end) * _done(epoch, self.begin, max_epochs)


@HOOK.register_module()
class PolynomialSchedule(Schedule):
    """Lowers the learning rate by a power of what is left, from epoch ``begin`` on, to ``end`` times its value.

    Args:
        power: of the share of the epochs that are left; 1 is ``LinearSchedule``.
        begin: the epoch, which may be a fraction, until which the factor is 1.
        end: the factor at the last epoch, in [0, 1].
        **warmup: as ``WarmUp`` takes it.
    """

    def __init__(self, power: float = 0.9, begin: float = 0.0, end: float = 0.0, **warmup: Any) -> None:
        super().__init__(**warmup)
        check(self, number(above=0, most=100), power=power)
        check(self, number(0), begin=begin)
        check(self, PROBABILITY, end=end)
        self.power, self.begin, self.end = power, begin, end

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return end + (1 - end) (1 - t)^power, t = (epoch - begin) / (max_epochs - begin) from 0 to 1."""
        return self.end + (1 - self.end) * (1 - _done(epoch, self.begin, max_epochs)) ** self.power


@HOOK.register_module()
class OneCycleSchedule(Schedule):
    """Raises the learning rate to the configured one along half a cosine, and lowers it along another.

    Smith and Topin, "Super-convergence" (2019), as ``torch.optim.lr_scheduler.OneCycleLR`` has it, without the cycle of
    the momentum; the configured rate is the highest.

    Args:
        rise: share of the epochs in which it rises, in [0, 1].
        start: the factor at the beginning, in [0, 1].
        end: the factor at the last epoch, in [0, 1].
        **warmup: as ``WarmUp`` takes it; a second rise, seldom wanted.
    """

    def __init__(self, rise: float = 0.3, start: float = 0.04, end: float = 4e-6, **warmup: Any) -> None:
        super().__init__(**warmup)
        check(self, PROBABILITY, rise=rise, start=start, end=end)
        self.rise, self.start, self.end = rise, start, end

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return b + (a - b) (1 + cos(pi t)) / 2: from a = start to b = 1, then from a = 1 to b = end."""
        top = self.rise * max_epochs
        if epoch < top:
            before, after, done = self.start, 1.0, epoch / top
        else:
            before, after, done = 1.0, self.end, _done(epoch, top, max_epochs)
        return after + (before - after) * (1 + math.cos(math.pi * done)) / 2


def _done(epoch: float, begin: float, end: float) -> float:
    """Return which share of the way from ``begin`` to ``end`` is done at ``epoch``, in [0, 1]."""
    return min(max((epoch - begin) / max(end - begin, 1e-9), 0.0), 1.0)
