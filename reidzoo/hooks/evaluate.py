"""Evaluation on the unseen targets, at intervals and at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reidzoo.distributed import broadcast_object, is_main
from reidzoo.engine.evaluate import evaluate_targets
from reidzoo.engine.runner import Runner
from reidzoo.files import write_text
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["EvaluateHook"]


@HOOK.register_module()
class EvaluateHook(Hook):
    """Evaluates on DATASETS.TESTS every TEST.EVAL_PERIOD epochs and after the last one.

    The results go into ``runner.metrics``, next to what earlier hooks measured after this epoch; the last ones are
    written to ``results.json``. They choose nothing: the model of the last epoch is the one that is kept and reported.

    An evaluation that fails after the last epoch ends the run once that epoch is saved in ``last.pth``; before those in
    between, ``CheckpointHook`` saves. Either way the run evaluates again with ``--resume``, and trains nothing again;
    what other hooks measured after the last epoch is in the checkpoint, for ``results.json``.
    """

    priority = 40

    def __init__(self) -> None:
        self.failed: Exception | None = None
        self.others: dict[str, dict[str, float]] = {}

    @staticmethod
    def is_due(runner: Runner) -> bool:
        """Whether the present epoch, which is not the last one, is evaluated when it ends."""
        period, epoch = runner.cfg.TEST.EVAL_PERIOD, runner.epoch + 1
        return bool(period) and epoch % period == 0 and epoch != runner.max_epochs

    def after_train_epoch(self, runner: Runner) -> None:
        """Evaluate every TEST.EVAL_PERIOD epochs and after the last one."""
        if runner.epoch + 1 != runner.max_epochs:
            if self.is_due(runner):
                self._evaluate(runner)
            return
        self.others = runner.metrics
        try:
            self._write(runner, self._evaluate(runner))
        except Exception as error:  # whatever it is, the epoch is to be saved first
            self.failed = error

    def after_train(self, runner: Runner) -> None:
        """Report what failed after the last epoch, or evaluate if that has not been done yet."""
        if self.failed is not None:
            raise self.failed
        if not broadcast_object(runner.files.results.exists()):
            self._write(runner, self._evaluate(runner))

    def _evaluate(self, runner: Runner) -> dict[str, dict[str, float]]:
        found = evaluate_targets(runner.cfg, runner.model, runner.device)
        runner.metrics = {**runner.metrics, **found}
        return found

    def _write(self, runner: Runner, found: Mapping[str, Mapping[str, float]]) -> None:
        if is_main():
            write_text(runner.files.results, json.dumps({**self.others, **found}, indent=1) + "\n")

    def state_dict(self) -> dict[str, str]:
        """Return what other hooks measured after the last epoch, as JSON: it may be numbers of NumPy's."""
        return {"others": json.dumps(self.others)}

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Restore a checkpoint's state."""
        self.others = json.loads(state.get("others", "{}"))
