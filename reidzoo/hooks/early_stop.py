"""Early stopping on a held-out loss."""

from __future__ import annotations

import copy
import hashlib
import logging
import math
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reidzoo.checks import check, whole
from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.datasets.nodes import check_node, validation_part
from reidzoo.distributed import broadcast_object, is_main
from reidzoo.engine.build import build_table, final_size
from reidzoo.engine.extract import evaluation_mode
from reidzoo.engine.loader import TrainLoader
from reidzoo.engine.runner import Runner
from reidzoo.engine.seed import seed_of
from reidzoo.errors import ConfigError, UserError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK
from reidzoo.transforms import Normalize

__all__ = ["EarlyStopHook"]

logger = logging.getLogger("reidzoo")


@runtime_checkable
class _Validating(Protocol):
    """A trainer that can be stopped early."""

    def validation_loss(self, batch: dict) -> Tensor:
        """Return the loss on held-out images, a scalar of the whole batch."""


@HOOK.register_module()
class EarlyStopHook(Hook):
    """Stops the training when the validation loss no longer improves, and restores the best epoch's weights.

    The loss is what the trainer's ``validation_loss(batch)`` returns, a scalar of the whole batch, in evaluation mode
    and without gradient. It is measured after every epoch; its mean is over the same batches each time, which the
    stage's own sampler draws from the validation set, without augmentation. The test sets have no part in it. The best
    epoch's weights of all parts are restored where SOLVER.MAX_EPOCHS ends the training, too; the optimizers are not
    touched.

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

    priority = 30  # before probe and evaluation, which are to see the weights that are kept
    validates = ("loss",)

    def __init__(
        self,
        validation: Mapping[str, Any] | None = None,
        patience: int = 3,
        batches: int = 0,
        begin_epoch: int = 0,
    ) -> None:
        if validation is not None:
            check_node(self, validation=validation)
        check(self, whole(1), patience=patience)
        check(self, whole(0, 10**6), batches=batches)
        check(self, whole(0), begin_epoch=begin_epoch)
        self.node, self.patience, self.batches, self.begin_epoch = validation, patience, batches, begin_epoch
        self.losses: list[float] = []
        self.best: dict[str, Any] = {}
        self.began = self.kept = ""
        self.stopped = False

    def before_train(self, runner: Runner) -> None:
        """Build the validation set."""
        if not isinstance(runner, _Validating):
            raise ConfigError(f"HOOKS: EarlyStopHook: {type(runner).__name__} has no validation_loss(batch)")
        self.validation_loss = runner.validation_loss
        cfg = runner.cfg
        node = self.node or _validation_part(cfg.DATASETS.TRAIN)
        data = TrainSet([build_dataset(node, root=cfg.DATASETS.ROOT)])
        _check_identities(data, runner.sets)
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
        self.began = self.began or _fingerprint(runner.model)
        if self.stopped:  # killed between its last epoch and the final checkpoint
            runner.max_epochs = runner.epoch

    def rehearse(self, runner: Runner) -> None:
        """Build the validation set, and draw its batches."""
        self.before_train(runner)
        self.loader.plan(0)

    def after_train_epoch(self, runner: Runner) -> None:
        """Measure the loss, and stop when patience is exhausted."""
        if runner.epoch < self.begin_epoch:
            return
        loss = self._measure(runner)
        if not math.isfinite(loss):
            raise UserError(f"the loss on the validation data is {loss} after epoch {runner.epoch + 1}")
        if loss < min(self.losses, default=math.inf):
            self.best = {name: copy.deepcopy(part.state_dict()) for name, part in runner.parts.items()}
            self.kept = _fingerprint(runner.model)
        self.losses.append(loss)
        best = self.losses.index(min(self.losses))
        self.stopped = len(self.losses) - 1 - best >= self.patience
        figures = {
            "loss": loss,
            "best_loss": self.losses[best],
            "kept_epoch": self.begin_epoch + best + 1,
            "untrained": int(self.kept == self.began),
        }
        runner.metrics = {**runner.metrics, "validation": figures}
        if self.stopped:
            runner.max_epochs = runner.epoch + 1
            if is_main():
                logger.info("stopped after epoch %d; validation losses: %s", runner.epoch + 1, self._listed_losses())
        if runner.epoch + 1 == runner.max_epochs:
            self._restore(runner, figures)

    def _restore(self, runner: Runner, figures: Mapping[str, float]) -> None:
        """Load the best epoch's weights, and say so."""
        for name, state in self.best.items():
            runner.parts[name].load_state_dict(state)
        if is_main():
            as_it_began = ": the model is what it was when the stage began" if figures["untrained"] else ""
            logger.info("the weights of epoch %d are kept%s", figures["kept_epoch"], as_it_began)

    def _measure(self, runner: Runner) -> float:
        """Return the mean loss, the same on every process."""
        with torch.no_grad(), evaluation_mode(*runner.parts.values()):
            losses = [self.validation_loss(batch).double() for batch in self.loader.epoch(0)]
        return broadcast_object(float(torch.stack(losses).mean()))

    def _listed_losses(self) -> str:
        return " ".join(f"{loss:.4f}" for loss in self.losses)

    def state_dict(self) -> dict[str, Any]:
        """Return the losses so far and the best epoch's weights."""
        return {
            "losses": list(self.losses),
            "best": self.best,
            "began": self.began,
            "kept": self.kept,
            "stopped": self.stopped,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint's state."""
        self.losses, self.best, self.stopped = list(state["losses"]), dict(state["best"]), state["stopped"]
        self.began, self.kept = state.get("began", ""), state.get("kept", "")


def _fingerprint(model: nn.Module) -> str:
    """Return a hash of the parameters; buffers move with every batch that a network in training mode sees."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _validation_part(train: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the node of the only training set with ``part: val``."""
    validation = validation_part(train)
    if validation is None:
        raise ConfigError(
            "HOOKS: EarlyStopHook finds no validation part: train on one dataset with part: train, such as {type: "
            "HoldOutIdentities, dataset: D, part: train}, or name its validation"
        )
    return validation


def _check_identities(data: TrainSet, sets: Mapping[str, TrainSet]) -> None:
    """Check that no identity of a folder is both trained on and validated on."""
    trained = {(train.folder_of(i), record.pid) for train in sets.values() for i, record in enumerate(train.records)}
    both = {record.pid for i, record in enumerate(data.records) if (data.folder_of(i), record.pid) in trained} - {-1}
    if both:
        raise ConfigError(
            f"HOOKS: EarlyStopHook: {len(both)} identities are trained on and validated on; hold identities out with "
            f"{{type: HoldOutIdentities, dataset: D, part: train}} in DATASETS.TRAIN and part: val here"
        )
