"""A mean of the model over time, as a teacher or for evaluation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["EMAHook", "move_parameters"]


@torch.no_grad()
def move_parameters(mean: torch.nn.Module, model: torch.nn.Module, update: int, momentum: float) -> None:
    """Move the parameters of ``mean`` towards those of ``model``: theta <- a theta + (1 - a) theta_now.

    Update t = 0, 1, ... has a = min(1 - 1 / (t + 1), ``momentum``), so that the start does not linger (MMT's code).
    """
    alpha = min(1 - 1 / (update + 1), momentum)
    for old, now in zip(mean.parameters(), model.parameters(), strict=True):
        old.lerp_(now, 1 - alpha)


@HOOK.register_module()
class EMAHook(Hook):
    """Keeps an exponential moving average of the model in ``hook.model``: theta <- a theta + (1 - a) theta_now.

    Args:
        momentum: a; smaller in the first steps, see ``move_parameters``.
    """

    priority = 15

    def __init__(self, momentum: float = 0.999) -> None:
        self.momentum, self.updates = momentum, 0
        self.model: torch.nn.Module | None = None
        self._saved: Mapping[str, Any] | None = None

    def before_train(self, runner: Any) -> None:
        """Start from the model, or from the checkpoint's average."""
        self.model = copy.deepcopy(runner.model).requires_grad_(False)
        if self._saved is not None:
            self.model.load_state_dict(self._saved)

    @torch.no_grad()
    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the average towards the model; buffers are copied."""
        move_parameters(self.model, runner.model, self.updates, self.momentum)
        self.updates += 1
        for mean, now in zip(self.model.buffers(), runner.model.buffers(), strict=True):
            mean.copy_(now)

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the number of updates."""
        return {"updates": self.updates, "model": self.model.state_dict() if self.model is not None else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a checkpoint's average once training begins."""
        self.updates, self._saved = state["updates"], state["model"]
