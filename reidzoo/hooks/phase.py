"""The base of hooks that assign the trainer's phase."""

from __future__ import annotations

from collections.abc import Sequence

from reidzoo.engine.runner import Runner
from reidzoo.hooks.hook import Hook

__all__ = ["PhaseHook"]


class PhaseHook(Hook):
    """Checks, before the training, the phases that a subclass may assign to the trainer."""

    priority = 10

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        raise NotImplementedError(f"{type(self).__name__} needs a phases()")

    def before_train(self, runner: Runner) -> None:
        """Check that the trainer has a step for each phase, and what the step needs."""
        for phase in self.phases():
            runner.check_phase(phase)

    def rehearse(self, runner: Runner) -> None:
        """Check the phases."""
        self.before_train(runner)
