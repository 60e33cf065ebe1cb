"""Checkpoints, at intervals and when the run is asked to stop."""

from __future__ import annotations

import signal
from typing import Any

from reidzoo.engine.checkpoint import save
from reidzoo.engine.runner import Runner
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["CheckpointHook"]


@HOOK.register_module()
class CheckpointHook(Hook):
    """Writes ``last.pth`` every SOLVER.CHECKPOINT_PERIOD epochs and every SOLVER.CHECKPOINT_ITERS steps.

    At the end ``model_final.pth`` takes its place. On SIGTERM, and on the first Ctrl-C, the step is finished and saved.
    """

    priority = 100

    def __init__(self) -> None:
        self.asked_to_stop = False

    def before_train(self, runner: Runner) -> None:
        """Listen for SIGINT and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, number: int, frame: Any) -> None:
        self.asked_to_stop = True
        for either in (signal.SIGINT, signal.SIGTERM):
            signal.signal(either, signal.SIG_DFL)  # a second one ends the process at once

    def save_point(self, runner: Runner) -> None:
        """Save if it is time."""
        iters, epochs = runner.cfg.SOLVER.CHECKPOINT_ITERS, runner.cfg.SOLVER.CHECKPOINT_PERIOD
        ended = runner.step == 0 and runner.epoch == runner.max_epochs
        by_epoch = runner.step == 0 and epochs and runner.epoch % epochs == 0
        by_iter = runner.step > 0 and iters and runner.iter % iters == 0
        if by_epoch or by_iter or ended or self.asked_to_stop:
            save(runner, runner.files.last)
        runner.stop = runner.stop or (self.asked_to_stop and not ended)

    def after_train(self, runner: Runner) -> None:
        """Write the final checkpoint, which says that the stage is done."""
        save(runner, runner.files.checkpoint)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
        runner.files.last.unlink(missing_ok=True)
