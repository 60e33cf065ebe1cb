"""A learning rate that rises and falls once."""

from __future__ import annotations

import math
from typing import Any

from reidzoo.checks import PROBABILITY, check
from reidzoo.hooks.schedule import Schedule, share_done
from reidzoo.registry import HOOK

__all__ = ["OneCycleSchedule"]


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
            before, after, done = 1.0, self.end, share_done(epoch, top, max_epochs)
        return after + (before - after) * (1 + math.cos(math.pi * done)) / 2
