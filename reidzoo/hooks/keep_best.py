"""The best epoch's weights, by retrieval among identities that are held out of the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reidzoo.checks import check, one_of
from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.distributed import broadcast_object
from reidzoo.engine.evaluate import FIGURES, check_target, evaluate_dataset
from reidzoo.engine.runner import Runner
from reidzoo.hooks.best_weights import BestWeightsHook
from reidzoo.registry import HOOK

__all__ = ["KeepBestHook"]


@HOOK.register_module()
class KeepBestHook(BestWeightsHook):
    """Keeps the weights of the epoch that retrieves best among held-out identities; stops early, if asked to.

    The model is tested as DATASETS.TESTS are, on the query and the gallery of a validation set: with
    ``HoldOutIdentities`` these are images of training identities that are not trained on. The test sets have no part in
    it. At the end of the training the best epoch's weights of all parts are restored, so that ``model_final.pth`` has
    them; of an ``EMAHook``, the mean's. Until then ``last.pth`` keeps them, as this hook's ``best``.

    It is called ``validation`` in ``metrics.jsonl`` and ``results.json``: ``mAP``, ``rank-1`` and so on, ``best_mAP``,
    ``kept_epoch``, counted from 1, and ``untrained``, 1 where the model is kept as the stage began. Of epochs that are
    equally good the first is kept.

    Args:
        validation: node of the validation set. None takes the only training set's, with ``part: val`` where a wrapper
            in it has ``part: train``.
        figure: ``mAP``, ``rank-1`` or another figure of an evaluation.
        patience: measurements without improvement before the training is stopped; 0 for never.
        period: epochs between measurements; the last epoch is always measured.
        begin_epoch: the first epoch, from 0, after which it is measured.

    Raises:
        ConfigError: the arguments are wrong, there is no validation part, or an identity is both trained on and
            validated on.
        DatasetError, EvaluationError: the validation set cannot be tested on.
    """

    smaller = False
    validates = FIGURES

    def __init__(
        self,
        validation: Mapping[str, Any] | None = None,
        figure: str = "mAP",
        patience: int = 0,
        period: int = 1,
        begin_epoch: int = 0,
    ) -> None:
        super().__init__(validation, patience, period, begin_epoch)
        check(self, one_of(*FIGURES), figure=figure)
        self.figure = figure

    def before_train(self, runner: Runner) -> None:
        """Build the validation set, and check that it can be tested on."""
        cfg = runner.cfg
        node = self.validation_node(cfg.DATASETS.TRAIN)
        self.dataset = build_dataset(node, root=cfg.DATASETS.ROOT)
        check_target(cfg, node, self.dataset)
        self.check_identities(TrainSet([self.dataset]), runner.sets)
        super().before_train(runner)

    def rehearse(self, runner: Runner) -> None:
        """Build the validation set, and check that it can be tested on."""
        self.before_train(runner)

    def measure(self, runner: Runner) -> dict[str, float]:
        """Return the figures of an evaluation on the validation set."""
        found = evaluate_dataset(runner.cfg, runner.model, self.dataset, runner.device)
        return broadcast_object({name: found[name] for name in FIGURES})
