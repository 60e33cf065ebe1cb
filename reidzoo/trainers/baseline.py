"""Supervised training of one model: the baseline, and DomainMix's stage 2."""

from __future__ import annotations

from torch import Tensor

from reidzoo.registry import TRAINER
from reidzoo.trainers.trainer import Trainer

__all__ = ["BaselineTrainer"]


@TRAINER.register_module()
class BaselineTrainer(Trainer):
    """One model, the losses of phase ``model``, one step: forward, losses, minimise."""

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the weighted sum of the losses over the model."""
        outputs = self.forward(batch["img"])
        losses = self.losses["model"]({**batch, **outputs})
        self.optims["model"].minimize(sum(losses.values()))
        return {name: loss.detach() for name, loss in losses.items()}
