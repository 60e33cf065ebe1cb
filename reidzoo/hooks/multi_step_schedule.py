"""A learning rate that drops at milestones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reidzoo.checks import PROBABILITY, check, each, number
from reidzoo.hooks.schedule import Schedule
from reidzoo.registry import HOOK

__all__ = ["MultiStepSchedule"]


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
