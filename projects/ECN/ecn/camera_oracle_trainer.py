"""ECN with a part of what its exemplar term does not know: which images by the same camera show the same person."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from ecn.oracle_trainer import OracleTrainer
from reidzoo.registry import TRAINER

__all__ = ["CameraOracleTrainer"]


@TRAINER.register_module()
class CameraOracleTrainer(OracleTrainer):
    """``OracleTrainer`` that leaves out a person's other images by the same camera alone, which look nearly the same.

    What it lacks to ``OracleTrainer`` is what E does with one person's images under several cameras.
    """

    @cached_property
    def cameras(self) -> Tensor:
        """The camera of each of the target's images, int64 (N,)."""
        return torch.from_numpy(self.sets["target"].camids).to(self.device)

    def same_person(self, index: Tensor) -> Tensor:
        """Return which of the target's images are left out for images ``index`` (B,) if not the same: bool (B, N)."""
        return super().same_person(index) & (self.cameras == self.cameras[index][:, None])
