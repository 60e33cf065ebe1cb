"""Unsupervised domain adaptation with a hybrid memory: SpCL's training, and DomainMix's stage 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.directions import directions
from reidzoo.distributed import gather
from reidzoo.engine.host_copy import HostCopy
from reidzoo.registry import MEMORY, TRAINER
from reidzoo.trainers.source_target import SourceTargetTrainer

__all__ = ["DomainAdaptationTrainer"]


@TRAINER.register_module()
class DomainAdaptationTrainer(SourceTargetTrainer):
    """Trains with one memory of an unlabelled ``target`` and a labelled ``source`` or none.

    Ge et al. (NeurIPS 2020), Eq. 1 to 4. The memory is the entry ``memory`` of MEMORIES. Its first rows are the source
    classes' centroids, the rest the target images. Each step sees half a batch of either set in one forward, source
    first, which is what domain-specific batch norm expects. Losses find the memory's scores as ``source_scores`` and
    ``target_scores`` (B, classes), and the classes to find as ``source_label`` and ``target_label``. Without a source,
    SpCL's fully unsupervised training, the memory holds the target alone, and so does a batch.
    """

    alone = ("target",)

    @property
    def num_classes(self) -> int:
        """0: the model has no classifier, the memory holds the classes."""
        return 0

    @property
    def memory(self) -> Any:
        """The part ``memory``: any MEMORY with what is used here of a ``HybridMemory``."""
        return self.parts["memory"]

    def build_memory(self, node: Mapping[str, Any], dim: int) -> nn.Module:
        """Build the memory for this source's classes and this target's images."""
        num_source = self.sets["source"].num_classes if "source" in self.sets else 0
        return MEMORY.build(node, dim=dim, num_source=num_source, num_target=len(self.sets["target"]))

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the contrastive losses over the model, then write the batch's features into the memory."""
        memory = self.memory
        halves = batch if "source" in self.sets else {"target": batch}
        rows = {name: self._rows(name, half) for name, half in halves.items()}
        index = torch.cat(list(rows.values()))
        written = HostCopy(gather(index))  # on its way while the device computes
        outputs = self.forward(torch.cat([half["img"] for half in halves.values()]))
        feat = directions(outputs["embedding"].float())
        scores, labels = memory(feat, index), memory.targets(index)
        sizes = [len(half) for half in rows.values()]
        tensors = {f"{name}_scores": half for name, half in zip(rows, scores.split(sizes))}
        tensors |= {f"{name}_label": half for name, half in zip(rows, labels.split(sizes))}
        scalars = self.minimize("model", tensors=tensors)
        memory.update(gather(feat.detach()), written.get())
        return scalars

    def _rows(self, name: str, half: Mapping[str, Tensor]) -> Tensor:
        """Return the memory's rows (B,) of one set's images."""
        return half["pid"] if name == "source" else half["index"] + self.memory.num_source

    def relabel(self, name: str, labels: Tensor, centroids: Tensor | None = None) -> None:
        """Give the target its pseudo labels; the memory's classes follow. There is no classifier to replace."""
        self.sets[name].relabel(labels.cpu().numpy())
        self.relabelled.add(name)
        self.memory.relabel(labels.to(self.device))
        self.renew_for_classes()
