"""A learning rate that falls linearly."""

from __future__ import annotations

from typing import Any

from reidzoo.checks import PROBABILITY, check, number
from reidzoo.hooks.schedule import Schedule, share_done
from reidzoo.registry import HOOK

__all__ = ["LinearSchedule"]


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
        return 1 - (1 - self.end) * share_done(epoch, self.begin, max_epochs)
