"""Unsupervised domain adaptation with a hybrid memory: SpCL's training, and DomainMix's stage 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.engine.distributed import gather
from reidzoo.registry import MEMORY, TRAINER
from reidzoo.trainers.trainer import Trainer

__all__ = ["DomainAdaptationTrainer"]


@TRAINER.register_module()
class DomainAdaptationTrainer(Trainer):
    """A labelled set ``source``, an unlabelled set ``target``, one memory of both (Ge et al., NeurIPS 2020, Eq. 1-4).

    The memory is the entry ``memory`` of MEMORIES. Its first rows are the source classes' centroids, the rest the
    target images. Each step sees half a batch of either set in one forward, source first, which is what domain-specific
    batch norm expects. Losses find the memory's scores as ``source_scores`` and ``target_scores`` (B, classes), and the
    classes to find as ``source_label`` and ``target_label``.
    """

    @property
    def num_classes(self) -> int:
        """No classifier: the memory holds the classes."""
        return 0

    def build_memory(self, node: Mapping[str, Any], dim: int) -> nn.Module:
        """Build the memory for this source's classes and this target's images."""
        return MEMORY.build(
            node, dim=dim, num_source=self.sets["source"].num_classes, num_target=len(self.sets["target"])
        )

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the contrastive losses over the model, then write the batch's features into the memory."""
        source, target = batch["source"], batch["target"]
        outputs = self.forward(torch.cat([source["img"], target["img"]]))
        feat = functional.normalize(outputs["embedding"].float())
        memory = self.parts["memory"]
        index = torch.cat([source["pid"], target["index"] + memory.num_source])
        scores, labels = memory(feat, index), memory.targets(index)
        half = len(source["img"])
        tensors = {"source_scores": scores[:half], "target_scores": scores[half:]}
        tensors |= {"source_label": labels[:half], "target_label": labels[half:]}
        losses = self.losses["model"](tensors)
        self.optims["model"].minimize(sum(losses.values()))
        memory.update(gather(feat.detach()), gather(index))
        return {name: loss.detach() for name, loss in losses.items()}

    def relabel(self, name: str, labels: Tensor) -> None:
        """Give the target its pseudo labels; the memory's classes follow."""
        self.sets[name].relabel(labels.cpu().numpy())
        self.relabelled.add(name)
        self.parts["memory"].relabel(labels.to(self.device))
