"""MMT's source pre-training: the target's images move the batch norm statistics and nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from reidzoo.registry import TRAINER
from reidzoo.trainers import SourceTargetTrainer

__all__ = ["SourcePretrainTrainer"]


@TRAINER.register_module()
class SourcePretrainTrainer(SourceTargetTrainer):
    """Supervised training on the set ``source``, with each step a forward pass of the unlabelled set ``target``.

    The target's pass is the authors' way to a model whose running batch norm statistics know both domains. ``TRAINER
    {type: BaselineTrainer}`` with the source alone is the same training without it.
    """

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses of the source over the model, after both sets have passed through it."""
        source = batch["source"]
        outputs = self.forward(source["img"])
        with torch.no_grad():
            self.forward(batch["target"]["img"])
        return self.minimize("model", tensors={**source, **outputs})
