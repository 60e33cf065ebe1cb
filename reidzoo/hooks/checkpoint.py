"""Checkpoints, at intervals and when the run is asked to stop."""

from __future__ import annotations

import time

from reidzoo.distributed import broadcast_object
from reidzoo.engine.checkpoint import save
from reidzoo.engine.runner import Runner
from reidzoo.engine.stop_signal import stop_signal
from reidzoo.hooks.evaluate import EvaluateHook
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["CheckpointHook"]


@HOOK.register_module()
class CheckpointHook(Hook):
    """Writes ``last.pth`` every SOLVER.CHECKPOINT_PERIOD epochs, every SOLVER.CHECKPOINT_ITERS steps, and before an
    evaluation.

    An epoch's is left out less than SOLVER.CHECKPOINT_SECONDS after the one before, or after the start. At the end
    ``model_final.pth`` takes its place. On SIGTERM, SIGUSR1 and the first Ctrl-C, the step is finished and saved; where
    several processes share the run, all of them stop at the same step.

    Attributes:
        asked_to_stop: set it to stop as a signal does.
    """

    priority = 100

    def __init__(self) -> None:
        self.asked_to_stop = False
        self._saved_at = time.monotonic()

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self._saved_at = time.monotonic()

    def save_point(self, runner: Runner) -> None:
        """Save if it is time."""
        iters, epochs = runner.cfg.SOLVER.CHECKPOINT_ITERS, runner.cfg.SOLVER.CHECKPOINT_PERIOD
        ended = runner.step == 0 and runner.epoch == runner.max_epochs
        by_epoch = runner.step == 0 and runner.epoch % epochs == 0 and self._time_is_up(runner)
        by_iter = runner.step > 0 and iters and runner.iter % iters == 0
        evaluated = any(isinstance(hook, EvaluateHook) and hook.is_due(runner) for hook in runner.hooks.values())
        by_iter = by_iter or (evaluated and runner.step == runner.loader.length)
        asked = stop_signal.agreed(self.asked_to_stop)
        if by_epoch or by_iter or ended or asked:
            save(runner, runner.files.last)
            self._saved_at = time.monotonic()
        runner.stop = runner.stop or (asked and not ended)

    def _time_is_up(self, runner: Runner) -> bool:
        """Return whether the last save is long enough ago, by the clock of the first process: all save, or none."""
        return broadcast_object(time.monotonic() - self._saved_at >= runner.cfg.SOLVER.CHECKPOINT_SECONDS)

    def after_train(self, runner: Runner) -> None:
        """Write the final checkpoint, which says that the stage is done."""
        save(runner, runner.files.checkpoint)
        runner.files.last.unlink(missing_ok=True)
