"""Carries rows of a classifier over to its successor, when a clustering changes the number of classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from reidzoo.engine.runner import Runner

__all__ = ["ClassifierRows"]


class ClassifierRows:
    """A copy of the classifier's rows and of the optimizers' state of them, such as Adam's moments.

    Make it before ``Trainer.relabel``, which builds a new classifier that no optimizer has state of; ``restore`` after.

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
        stateful = rows if self.weight is None or not keep_moments else min(len(weight), len(self.weight))
        for name, state in self.states.items():
            trainer.optims[name].torch.state[weight] = {
                key: _resized(value, weight, stateful) if value.dim() else value.clone() for key, value in state.items()
            }


def _weight(trainer: Runner) -> Tensor | None:
    classifier = getattr(trainer.model.head, "classifier", None)
    return None if classifier is None else classifier.weight


def _resized(moment: Tensor, weight: Tensor, rows: int) -> Tensor:
    """Return ``moment`` (old classes, D) for a weight (classes, D): its first ``kept`` rows, then zeros."""
    resized = torch.zeros_like(weight, dtype=moment.dtype)
    resized[:rows] = moment[:rows]
    return resized
