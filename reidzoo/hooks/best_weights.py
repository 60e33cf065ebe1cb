"""The base of hooks that keep the weights of the best epoch, by a figure of a validation set."""

from __future__ import annotations

import copy
import hashlib
import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.checks import check, whole
from reidzoo.datasets import TrainSet
from reidzoo.datasets.nodes import check_node
from reidzoo.distributed import is_main
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError, UserError
from reidzoo.hooks.held_out import held_out_part
from reidzoo.hooks.hook import Hook

__all__ = ["BestWeightsHook"]

logger = logging.getLogger("reidzoo")


class BestWeightsHook(Hook):
    """Measures a figure after epochs, stops when it no longer improves, and restores the best epoch's weights.

    The test sets have no part in it. The best epoch's weights of all parts are restored where SOLVER.MAX_EPOCHS ends
    the training, too, and with them its labels, where a hook relabels; the optimizers are not touched.

    Args:
        validation: node of the dataset that is validated on. None takes that of the training set, with ``part: val``
            where a wrapper in it has ``part: train``.
        patience: measurements without improvement before stopping; 0 for never.
        period: epochs between measurements; the last epoch's is always taken.
        begin_epoch: the first epoch, from 0, after which it is measured.

    Attributes:
        figure: the name of what is measured, among what ``measure`` returns.
        smaller: whether less of it is better.
        validates: the names of all that is measured, for ``PlateauSchedule``.
    """

    priority = 30  # before probe and evaluation, which are to see the weights that are kept
    figure = "loss"
    smaller = True
    validates: tuple[str, ...] = ()

    def __init__(
        self, validation: Mapping[str, Any] | None, patience: int, period: int = 1, begin_epoch: int = 0
    ) -> None:
        if validation is not None:
            check_node(self, validation=validation)
        check(self, whole(0), patience=patience, begin_epoch=begin_epoch)
        check(self, whole(1), period=period)
        self.node, self.patience, self.period, self.begin_epoch = validation, patience, period, begin_epoch
        self.values: list[float] = []
        self.epochs: list[int] = []
        self.best: dict[str, Any] = {}
        self.labels: dict[str, Tensor] = {}
        self.began = self.kept = ""
        self.stopped = False

    def measure(self, runner: Runner) -> dict[str, float]:
        """Return the figures of the model as it is, the same on every process."""
        raise NotImplementedError(f"{type(self).__name__} needs a measure(runner)")

    def before_train(self, runner: Runner) -> None:
        """Take down what the stage begins with, and end a run that was killed between its last epoch and its end."""
        others = [hook for hook in runner.hooks.values() if isinstance(hook, BestWeightsHook) and hook is not self]
        if others:
            raise ConfigError(
                f"HOOKS: {type(self).__name__} and {type(others[0]).__name__} would both restore the weights of their "
                f"best epoch; set one of them to null"
            )
        self.began = self.began or _fingerprint(runner.model)
        if self.stopped:
            runner.max_epochs = runner.epoch

    def after_train_epoch(self, runner: Runner) -> None:
        """Measure, and stop when patience is exhausted."""
        last = runner.epoch + 1 == runner.max_epochs
        due = runner.epoch >= self.begin_epoch and (runner.epoch + 1 - self.begin_epoch) % self.period == 0
        if due or (last and runner.epoch >= self.begin_epoch):
            self._measure(runner)
        if self.stopped and is_main():
            values = " ".join(f"{value:.4f}" for value in self.values)
            logger.info("stopped after epoch %d; validation %s: %s", runner.epoch + 1, self.figure, values)

    def _measure(self, runner: Runner) -> None:
        found = self.measure(runner)
        value = found[self.figure]
        if not math.isfinite(value):
            raise UserError(f"the {self.figure} on the validation data is {value} after epoch {runner.epoch + 1}")
        if not self.values or self._is_better(value, self.values[self._best_row()]):
            self.best = {name: copy.deepcopy(part.state_dict()) for name, part in runner.parts.items()}
            self.labels = {name: torch.from_numpy(data.pids.copy()) for name, data in runner.sets.items()}
            self.kept = _fingerprint(runner.model)
        self.values.append(value)
        self.epochs.append(runner.epoch + 1)
        best = self._best_row()
        self.stopped = 0 < self.patience <= len(self.values) - 1 - best
        figures = {
            **found,
            f"best_{self.figure}": self.values[best],
            "kept_epoch": self.epochs[best],
            "untrained": int(self.kept == self.began),
        }
        runner.metrics = {**runner.metrics, "validation": figures}
        if self.stopped:
            runner.max_epochs = runner.epoch + 1
        if runner.epoch + 1 == runner.max_epochs:
            self._restore(runner, figures)

    def _is_better(self, value: float, other: float) -> bool:
        return value < other if self.smaller else value > other

    def _best_row(self) -> int:
        """Return the number of the first of the best measurements."""
        return self.values.index(min(self.values) if self.smaller else max(self.values))

    def _restore(self, runner: Runner, figures: Mapping[str, float]) -> None:
        """Load the best epoch's weights, with a classifier of that epoch's classes, and say so."""
        for name, labels in self.labels.items():
            if not torch.equal(labels, torch.from_numpy(runner.sets[name].pids)):
                runner.relabel(name, labels)
        for name, state in self.best.items():
            runner.parts[name].load_state_dict(state)
        if is_main():
            as_it_began = ": the model is what it was when the stage began" if figures["untrained"] else ""
            logger.info("the weights of epoch %d are kept%s", figures["kept_epoch"], as_it_began)

    def state_dict(self) -> dict[str, Any]:
        """Return the figures, in the key ``losses`` whatever they are, and the best epoch's weights and labels."""
        return {
            "losses": list(self.values),
            "epochs": list(self.epochs),
            "best": self.best,
            "labels": self.labels,
            "began": self.began,
            "kept": self.kept,
            "stopped": self.stopped,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint's state."""
        self.values, self.best, self.stopped = list(state["losses"]), dict(state["best"]), state["stopped"]
        self.labels = dict(state.get("labels", {}))
        older = range(self.begin_epoch + 1, self.begin_epoch + 1 + len(self.values))
        self.epochs = list(state.get("epochs", older))
        self.began, self.kept = state.get("began", ""), state.get("kept", "")

    def validation_node(self, train: Mapping[str, Any]) -> Any:
        """Return the node of the validation set: what is configured, or the only training set with ``part: val``."""
        return self.node or held_out_part(self, train)

    def check_identities(self, data: TrainSet, sets: Mapping[str, TrainSet]) -> None:
        """Raise ConfigError if an identity of a folder is both trained on and validated on."""
        if both := data.people & set().union(*(other.people for other in sets.values())):
            raise ConfigError(
                f"HOOKS: {type(self).__name__}: {len(both)} identities are trained on and validated on; hold "
                f"identities out with {{type: HoldOutIdentities, dataset: D, part: train}} in DATASETS.TRAIN and part: "
                f"val here"
            )


def _fingerprint(model: nn.Module) -> str:
    """Return a hash of the parameters; buffers move with every batch that a network in training mode sees."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
