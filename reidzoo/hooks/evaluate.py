"""Evaluation on the unseen targets, at intervals and at the end."""

from __future__ import annotations

import json

from reidzoo.distributed import is_main
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
    """

    priority = 40

    def after_train_epoch(self, runner: Runner) -> None:
        """Evaluate every TEST.EVAL_PERIOD epochs and after the last one."""
        period = runner.cfg.TEST.EVAL_PERIOD
        last = runner.epoch + 1 == runner.max_epochs
        if last or (period and (runner.epoch + 1) % period == 0):
            runner.metrics = {**runner.metrics, **evaluate_targets(runner.cfg, runner.model, runner.device)}
        if last and is_main():
            write_text(runner.files.results, json.dumps(runner.metrics, indent=1) + "\n")
