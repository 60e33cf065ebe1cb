"""CLIP-ReID's first stage: the words of each identity."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clip_reid.prompted_embedder import PromptedEmbedder
from reidzoo.backbones.side_information import side_information
from reidzoo.engine.precision import autocast
from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.trainers import BaselineTrainer
from reidzoo.trainers.trainer import needs

__all__ = ["PromptTrainer", "prompted"]


@TRAINER.register_module()
class PromptTrainer(BaselineTrainer):
    """Trains the prompts of a ``PromptedEmbedder`` alone; both towers are frozen, and images come as they are tested.

    Losses find the projections of the batch's images as ``image`` and the features of their identities' sentences as
    ``text``, both (B, P). The authors compute the images' features once, here each step does: they are the same as long
    as the transforms draw nothing, and the text tower takes most of the time.

    Raises:
        ConfigError: the model has no prompts.
    """

    def build_models(self) -> dict[str, nn.Module]:
        """Build the model, all of it frozen but the learnt words."""
        models = super().build_models()
        prompts = prompted(self, models).prompts
        models["model"].requires_grad_(False)
        prompts.contexts.requires_grad_(True)
        return models

    @needs("model")
    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses over the learnt words."""
        for frozen in (self.model.backbone, self.model.head):
            frozen.eval()
        with torch.no_grad(), side_information(None, None):
            image = self.forward(batch["img"])["projected"]
        with autocast(self.device, self.cfg.SOLVER.PRECISION):
            text = self.model.prompts(batch["pid"])
        return self.minimize("model", tensors={**batch, "image": image, "text": text})


def prompted(trainer: object, models: dict[str, nn.Module]) -> Any:
    """Return the model with its prompts.

    Raises:
        ConfigError: it has none.
    """
    model = models["model"]
    if not isinstance(model, PromptedEmbedder) or model.prompts is None:
        raise ConfigError(
            f"TRAINER: {type(trainer).__name__} needs a model with prompts, MODEL: {{type: PromptedEmbedder}}, and "
            f"images with identities"
        )
    return model
