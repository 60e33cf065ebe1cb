"""Classifier rows that are kept when a clustering changes the number of classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError

__all__ = ["ClassifierRows"]


class ClassifierRows:
    """Copies the classifier's rows and the optimizers' state of them, such as Adam's moments.

    Make one before ``Trainer.relabel``, which makes a classifier that no optimizer knows, and ``restore`` it after.

    Args:
        trainer: its model's head has a ``classifier``, or None where there are no classes yet.
    """

    def __init__(self, trainer: Runner) -> None:
        weight = _weight(trainer)
        self.weight = None if weight is None else weight.detach().clone()
        self.states: dict[str, dict[str, Tensor]] = {}
        for name, optim in trainer.optims.items():
            state = optim.torch.state.get(weight, {}) if weight is not None else {}
            if state:
                self.states[name] = {key: value.clone() for key, value in state.items() if torch.is_tensor(value)}

    @torch.no_grad()
    def restore(self, trainer: Runner, rows: int, means: Tensor | None = None, keep_moments: bool = False) -> None:
        """Give the first ``rows`` classes their rows and moments back, and the others ``means`` or random rows.

        Args:
            trainer: the trainer, with its new classifier.
            rows: how many classes are unchanged.
            means: (classes - rows, D) whose L2-normalised rows the other classes start from; None for the random rows
                that they have.
            keep_moments: the other classes take over the moments of whichever classes had their places before, as when
                a classifier of fixed size is overwritten; otherwise they start from zero.
        """
        weight = _weight(trainer)
        if weight is None:
            return
        if self.weight is not None:
            weight[:rows] = self.weight[:rows]
        if means is not None:
            weight[rows:] = functional.normalize(means.to(weight), dim=1)
        count = rows if self.weight is None or not keep_moments else min(len(weight), len(self.weight))
        for name, state in self.states.items():
            trainer.optims[name].torch.state[weight] = {
                key: _resized(value, weight, count) if value.dim() else value.clone() for key, value in state.items()
            }


def _weight(trainer: Runner) -> Tensor | None:
    classifier = getattr(trainer.model.head, "classifier", None)
    weight = getattr(classifier, "weight", None)
    if classifier is not None and weight is None:
        raise ConfigError(
            f"HOOKS: where a part of the classes stays, the head's classifier has one weight with a row for each, and "
            f"{type(trainer.model.head).__name__}'s {type(classifier).__name__} has not; take BNNeck or LinearHead"
        )
    return weight


def _resized(moment: Tensor, weight: Tensor, count: int) -> Tensor:
    """Return ``moment`` (old classes, D) for a weight (classes, D): its first ``count`` rows, then zeros."""
    new = torch.zeros_like(weight, dtype=moment.dtype)
    new[:count] = moment[:count]
    return new
