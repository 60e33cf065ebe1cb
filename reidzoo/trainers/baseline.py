"""Supervised training of one model: the baseline, and DomainMix's stage 2."""

from __future__ import annotations

from torch import Tensor

from reidzoo.registry import TRAINER
from reidzoo.trainers.trainer import Trainer, needs

__all__ = ["BaselineTrainer"]


@TRAINER.register_module()
class BaselineTrainer(Trainer):
    """Trains one model on the losses of phase ``model``."""

    @needs("model")
    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the weighted sum of the losses over the model."""
        outputs = self.forward(batch["img"])
        return self.minimize("model", tensors={**batch, **outputs})
