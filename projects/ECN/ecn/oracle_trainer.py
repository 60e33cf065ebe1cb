"""ECN with what its exemplar term does not know: which other images show the same person."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor
from yacs.config import CfgNode

from ecn.trainer import ECNTrainer
from reidzoo.datasets import TrainSet, true_identities
from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER

__all__ = ["OracleTrainer"]


@TRAINER.register_module()
class OracleTrainer(ECNTrainer):
    """``ECNTrainer`` that leaves a person's other images out of Eq. 3, for diagnosis: it sees the target's identities.

    With E every image is a class of its own, and the softmax pushes it away from all others, those of its own person
    among them. Here these are no classes for it: their scores are -infinity. An image of no known identity keeps all.

    Raises:
        ConfigError: there is no set ``target``, or the memory takes neighbours, which would be those left out.
    """

    @cached_property
    def persons(self) -> Tensor:
        """The identity of each of the target's images, int64 (N,), -1 where unknown."""
        return torch.from_numpy(true_identities(self.sets["target"])).to(self.device)

    def compare(self, feat: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Return scores without the same person's other images, and the soft labels (Eq. 3 and 4)."""
        compared, others = super().compare(feat, index), self.same_person(index)
        others[torch.arange(len(index), device=index.device), index] = False
        return {**compared, "scores": compared["scores"].masked_fill(others, -torch.inf)}

    def same_person(self, index: Tensor) -> Tensor:
        """Return which of the target's images are left out for images ``index`` (B,) if not the same: bool (B, N)."""
        own = self.persons[index][:, None]
        return (self.persons == own) & (own >= 0)

    def check(self, cfg: CfgNode, sets: Mapping[str, TrainSet]) -> None:
        """Check that there is a target, and E alone."""
        super().check(cfg, sets)
        if "target" not in sets or cfg.MEMORIES["exemplar"].get("neighbours", 6):
            raise ConfigError("OracleTrainer takes a set 'target' and MEMORIES.exemplar with neighbours: 0, E alone")
