"""CLIP-ReID's second stage: the image tower, guided by the identities' sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clip_reid.prompt_trainer import prompted
from reidzoo.registry import TRAINER
from reidzoo.trainers import BaselineTrainer
from reidzoo.trainers.trainer import needs

__all__ = ["PromptGuidedTrainer"]

AT_ONCE = 64
"""Sentences that are read at once."""


@TRAINER.register_module()
class PromptGuidedTrainer(BaselineTrainer):
    """Trains the image tower and the head of a ``PromptedEmbedder``, while its sentences stand still.

    Beside the model's outputs losses find ``text_logits`` (B, num_classes), the inner products of an image's projection
    with the sentences of all identities: cross entropy of them is the paper's L_i2tce.

    Raises:
        ConfigError: the model has no prompts.
    """

    _texts: Tensor | None = None

    def build_models(self) -> dict[str, nn.Module]:
        """Build the model, with its sentences frozen."""
        models = super().build_models()
        prompted(self, models).prompts.requires_grad_(False)
        return models

    @needs("model")
    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses over the image tower and the head."""
        outputs = self.forward(batch["img"])
        text_logits = outputs["projected"].float() @ self.texts().t()
        return self.minimize("model", tensors={**batch, **outputs, "text_logits": text_logits})

    @torch.no_grad()
    def texts(self) -> Tensor:
        """Return the features (num_classes, P) of all sentences, which are read once."""
        if self._texts is None:
            prompts = self.model.prompts
            labels = torch.arange(prompts.num_classes, device=self.device)
            self._texts = torch.cat([prompts(some) for some in labels.split(AT_ONCE)]).float()
        return self._texts

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state, with its sentences."""
        super().load_state_dict(state)
        self._texts = None
