"""A learning rate that falls along half a cosine."""

from __future__ import annotations

import math
from typing import Any

from reidzoo.checks import PROBABILITY, check, number
from reidzoo.hooks.schedule import Schedule, share_done
from reidzoo.registry import HOOK

__all__ = ["CosineSchedule"]


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
        done = share_done(epoch, self.begin, max_epochs)
        return self.end + (1 - self.end) * (1 + math.cos(math.pi * done)) / 2
