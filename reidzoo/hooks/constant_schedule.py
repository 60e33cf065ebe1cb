"""A learning rate that stays as configured."""

from __future__ import annotations

from reidzoo.hooks.schedule import Schedule
from reidzoo.registry import HOOK

__all__ = ["ConstantSchedule"]


@HOOK.register_module()
class ConstantSchedule(Schedule):
    """Keeps the learning rate as configured, after the warm-up."""

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return 1."""
        return 1.0
