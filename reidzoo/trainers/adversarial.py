"""Adversarial training of a model against a discriminator of its embeddings."""

from __future__ import annotations

import torch
from torch import Tensor

from reidzoo.registry import TRAINER
from reidzoo.trainers.trainer import Trainer

__all__ = ["AdversarialTrainer"]


@TRAINER.register_module()
class AdversarialTrainer(Trainer):
    """Two phases on the same batches; a phase hook says whose turn it is.

    ``discriminator``: the discriminator learns from the fixed model's embeddings. ``model``: the model learns from its
    losses, among them one on the fixed discriminator's logits. "Fixed" means that no step is taken: batch norm
    statistics of both go on, as in DomainMix's code. Losses find the discriminator's output as ``domain_logits``.

    The discriminator is the entry ``discriminator`` of DISCRIMINATORS; so is its optimizer.
    """

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses of phase ``model`` over the model, the discriminator fixed."""
        outputs = self.forward(batch["img"])
        return self._minimize("model", {**batch, **outputs})

    def step_discriminator(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses of phase ``discriminator`` over the discriminator, the model fixed."""
        with torch.no_grad():
            outputs = self.forward(batch["img"])
        return self._minimize("discriminator", {**batch, **outputs})

    def _minimize(self, phase: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        tensors["domain_logits"] = self.parts["discriminator"](tensors["embedding"].float())
        losses = self.losses[phase](tensors)
        self.optims[phase].minimize(sum(losses.values()))
        return {name: loss.detach() for name, loss in losses.items()}
