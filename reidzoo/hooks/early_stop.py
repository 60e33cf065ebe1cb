"""Early stopping on a held-out loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from reidzoo.checks import check, whole
from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.distributed import broadcast_object
from reidzoo.engine.build import build_table, final_size
from reidzoo.engine.extract import evaluation_mode
from reidzoo.engine.loader import TrainLoader
from reidzoo.engine.runner import Runner
from reidzoo.engine.seed import seed_of
from reidzoo.errors import ConfigError
from reidzoo.hooks.best_weights import BestWeightsHook
from reidzoo.registry import HOOK
from reidzoo.transforms import Normalize

__all__ = ["EarlyStopHook"]


@runtime_checkable
class _Validating(Protocol):
    """A trainer that can be stopped early."""

    def validation_loss(self, batch: dict) -> Tensor:
        """Return the loss on held-out images, a scalar of the whole batch."""


@HOOK.register_module()
class EarlyStopHook(BestWeightsHook):
    """Stops the training when the validation loss no longer improves, and restores the best epoch's weights.

    The loss is what the trainer's ``validation_loss(batch)`` returns, a scalar of the whole batch, in evaluation mode
    and without gradient. It is measured after every epoch; its mean is over the same batches each time, which the
    stage's own sampler draws from the validation set, without augmentation. The test sets have no part in it. The best
    epoch's weights of all parts are restored where SOLVER.MAX_EPOCHS ends the training, too; the optimizers are not
    touched. ``KeepBestHook`` goes by the mAP instead, with any trainer.

    It is called ``validation`` in ``metrics.jsonl`` and ``results.json``, next to the unseen targets: ``loss``,
    ``best_loss``, ``kept_epoch``, counted from 1, and ``untrained``, 1 where the model is kept as the stage began.

    Args:
        validation: node of the dataset whose training images are validated on. None takes that of the training set,
            with ``part: val`` where a wrapper in it has ``part: train``.
        patience: epochs without improvement before stopping, 1 or more.
        batches: how many batches are measured; 0 for one pass of the sampler.
        begin_epoch: the first epoch, from 0, after which it is measured: say the last one that trains a discriminator
            alone, so that the model as it was then is a candidate, and one with a weak discriminator's low loss is not.

    Raises:
        ConfigError: the arguments are wrong, there is no validation part, the trainer has no ``validation_loss``, or an
            identity is both trained on and validated on.
        UserError: the loss on the validation data is not finite.
    """

    validates = ("loss",)

    def __init__(
        self,
        validation: Mapping[str, Any] | None = None,
        patience: int = 3,
        batches: int = 0,
        begin_epoch: int = 0,
    ) -> None:
        super().__init__(validation, patience, begin_epoch=begin_epoch)
        check(self, whole(1), patience=patience)
        check(self, whole(0, 10**6), batches=batches)
        self.batches = batches

    def before_train(self, runner: Runner) -> None:
        """Build the validation set."""
        if not isinstance(runner, _Validating):
            raise ConfigError(f"HOOKS: EarlyStopHook: {type(runner).__name__} has no validation_loss(batch)")
        self.validation_loss = runner.validation_loss
        cfg = runner.cfg
        data = TrainSet([build_dataset(self.validation_node(cfg.DATASETS.TRAIN), root=cfg.DATASETS.ROOT)])
        self.check_identities(data, runner.sets)
        self.loader = TrainLoader(
            {"validation": data},
            cfg.SAMPLER,
            Normalize(cfg.INPUT.MEAN, cfg.INPUT.STD),
            build_table(cfg, data.paths, size=final_size(cfg)),
            batch_size=cfg.SOLVER.IMS_PER_BATCH,
            iters=self.batches,
            seed=seed_of(cfg),
            workers=cfg.DATALOADER.NUM_WORKERS,
            device=runner.device,
        )
        super().before_train(runner)

    def rehearse(self, runner: Runner) -> None:
        """Build the validation set, and draw its batches."""
        self.before_train(runner)
        self.loader.plan(0)

    def measure(self, runner: Runner) -> dict[str, float]:
        """Return the mean loss, the same on every process."""
        with torch.no_grad(), evaluation_mode(*runner.parts.values()):
            losses = [self.validation_loss(batch).double() for batch in self.loader.epoch(0)]
        return {"loss": broadcast_object(float(torch.stack(losses).mean()))}
