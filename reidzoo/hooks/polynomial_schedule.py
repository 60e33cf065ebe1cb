"""A learning rate that falls by a power of the epochs that are left."""

from __future__ import annotations

from typing import Any

from reidzoo.checks import PROBABILITY, check, number
from reidzoo.hooks.schedule import Schedule, share_done
from reidzoo.registry import HOOK

__all__ = ["PolynomialSchedule"]


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
        return self.end + (1 - self.end) * (1 - share_done(epoch, self.begin, max_epochs)) ** self.power
