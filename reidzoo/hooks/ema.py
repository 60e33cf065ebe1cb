"""The exponential moving average of the model, as a teacher or for evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from reidzoo.checks import FLAG, PROBABILITY, check
from reidzoo.engine.runner import Runner
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["EMAHook", "move_parameters"]


def move_parameters(mean: nn.Module, model: nn.Module, update: int, momentum: float) -> None:
    """Move the parameters of ``mean`` towards those of ``model``: theta <- a theta + (1 - a) theta_now.

    Update t = 0, 1, ... has a = min(1 - 1 / (t + 1), ``momentum``), so that the start does not linger (MMT's code).
    """
    _move(list(mean.parameters()), list(model.parameters()), update, momentum)


def _move(mean: Sequence[Tensor], now: Sequence[Tensor], update: int, momentum: float) -> None:
    get_ema_multi_avg_fn(min(1 - 1 / (update + 1), momentum))(mean, now, None)


@HOOK.register_module()
class EMAHook(Hook):
    """Keeps the exponential mean of the model's weights over the steps, which is then what is tested and kept.

    After each step theta <- a theta + (1 - a) theta_now, see ``move_parameters``. Buffers of floating point, such as
    batch norm's running mean and variance, are averaged as parameters are, and counters are copied. A parameter that
    takes another's place, such as a new classifier for new pseudo labels, begins a mean of its own.

    From an epoch's end to its ``save_point``, and for good when training ends, the part ``model`` and the hook exchange
    what they hold. So validation losses, probes, evaluations and exported pseudo labels are the mean's, and so is
    ``model_final.pth``, while the steps and ``last.pth`` go by the weights that the optimizers move. Those of the last
    step are in ``model_final.pth`` too, as the hook's ``raw``.

    Args:
        momentum: a, in [0, 1]; smaller in the first steps. 1 gives the plain mean over all steps.
        evaluate: exchange them. Without it the mean is kept in checkpoints, as the hook's ``model``, and no more.

    Raises:
        ConfigError: the momentum is out of its range.
    """

    priority = 15  # before early stopping, probe and evaluation

    def __init__(self, momentum: float = 0.999, evaluate: bool = True) -> None:
        check(self, PROBABILITY, momentum=momentum)
        check(self, FLAG, evaluate=evaluate)
        self.momentum, self.evaluate, self.updates = momentum, evaluate, 0
        self.exchanged = False
        self.held: dict[str, Tensor] = {}  # the mean, or while exchanged the weights that the optimizers move
        self._of: dict[str, Tensor] = {}  # the model's own tensors, to notice where another has taken its place

    def before_train(self, runner: Runner) -> None:
        """Start from the model, or from the checkpoint's mean."""
        saved, self.held, self._of = self.held, {}, {}
        self._take_up(runner.model)
        for name in self.held.keys() & saved.keys():
            self.held[name].copy_(saved[name])
        if self.exchanged:
            self._exchange(runner.model)

    @torch.no_grad()
    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the mean towards the model."""
        self._take_up(runner.model)
        floats = [name for name, tensor in self._of.items() if tensor.is_floating_point()]
        _move([self.held[name] for name in floats], [self._of[name] for name in floats], self.updates, self.momentum)
        for name in self._of.keys() - floats:
            self.held[name].copy_(self._of[name])
        self.updates += 1

    def after_train_epoch(self, runner: Runner) -> None:
        """Give the model the mean."""
        if self.evaluate:
            self._exchange(runner.model)

    def save_point(self, runner: Runner) -> None:
        """Give the model its own weights back before they are saved and trained on."""
        if self.exchanged:
            self._exchange(runner.model)

    def after_train(self, runner: Runner) -> None:
        """Give the model the mean, for the final checkpoint."""
        if self.evaluate:
            self._exchange(runner.model)

    def _take_up(self, model: nn.Module) -> None:
        """Begin the mean of every tensor of the model that is new."""
        now = _tensors(model)
        new = {name: tensor.detach().clone() for name, tensor in now.items() if self._of.get(name) is not tensor}
        self.held = {name: new[name] if name in new else self.held[name] for name in now}
        self._of = now

    @torch.no_grad()
    def _exchange(self, model: nn.Module) -> None:
        self._take_up(model)
        for name, tensor in self._of.items():
            before = tensor.clone()
            tensor.copy_(self.held[name])
            self.held[name].copy_(before)
        self.exchanged = not self.exchanged

    def state_dict(self) -> dict[str, Any]:
        """Return the number of updates and what is held: the mean as ``model``, or the weights as ``raw``."""
        return {"updates": self.updates, "raw" if self.exchanged else "model": dict(self.held)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint's mean once training begins."""
        self.updates, self.exchanged = state["updates"], "raw" in state
        self.held = dict(state["raw"] if self.exchanged else state["model"])


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's own parameters and buffers by name, those that modules share once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
