"""One phase an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reidzoo.checks import TEXT, check, each
from reidzoo.engine.runner import Runner
from reidzoo.hooks.phase import PhaseHook
from reidzoo.registry import HOOK

__all__ = ["EpochPhaseHook"]


@HOOK.register_module()
class EpochPhaseHook(PhaseHook):
    """Goes through ``order``, one phase an epoch, over and over (DomainMix's Algorithm 1)."""

    def __init__(self, order: Sequence[str]) -> None:
        check(self, each(TEXT, least=1), order=order)
        self.order = list(order)

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        return self.order

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Assign the epoch's phase."""
        runner.phase = self.order[runner.epoch % len(self.order)]
