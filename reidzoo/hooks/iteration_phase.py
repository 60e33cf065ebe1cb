"""Phases by the number of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reidzoo.checks import TEXT, check, mapping_of, whole
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.phase import PhaseHook
from reidzoo.registry import HOOK

__all__ = ["IterationPhaseHook"]


@HOOK.register_module()
class IterationPhaseHook(PhaseHook):
    """Gives each phase its number of steps in turn: ``{discriminator: 1, model: 9}``, counted from each epoch's start.

    Args:
        steps: phase -> steps, 0 or more.
        begin_epoch: until then the phase is ``before``.
        before: the phase of the epochs before ``begin_epoch``.
    """

    def __init__(self, steps: Mapping[str, int], begin_epoch: int = 0, before: str = "model") -> None:
        check(self, mapping_of(whole(0, 10**6)), steps=steps)
        check(self, whole(0), begin_epoch=begin_epoch)
        check(self, TEXT, before=before)
        self.cycle = [phase for phase, count in steps.items() for _ in range(count)]
        self.begin_epoch, self.before = begin_epoch, before
        if not self.cycle:
            raise ConfigError("HOOKS: IterationPhaseHook needs steps, for example {discriminator: 1, model: 9}")

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        before = [self.before] if self.begin_epoch > 0 else []
        return [*dict.fromkeys([*before, *self.cycle])]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Assign the step's phase."""
        begun = runner.epoch >= self.begin_epoch
        runner.phase = self.cycle[batch_idx % len(self.cycle)] if begun else self.before
