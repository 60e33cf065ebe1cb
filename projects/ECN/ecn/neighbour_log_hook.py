"""The log of what neighbourhood-invariance selects."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ecn.trainer import ECNTrainer
from reidzoo.datasets import true_identities
from reidzoo.distributed import gather
from reidzoo.hooks import Hook
from reidzoo.registry import HOOK

__all__ = ["NeighbourLogHook"]


@HOOK.register_module()
class NeighbourLogHook(Hook[ECNTrainer]):
    """Logs how good the neighbours are that N takes for positives, step by step.

    ``neighbours/precision`` is the share of the chosen images, without the image itself, that show its person;
    ``neighbours/self`` is how often the image is among its own. They are of the features of the training step, cropped,
    erased, restyled and after dropout, and so lower than those of tested features. The target's identities are read for
    this log alone, below ``Unlabeled``, where the dataset has any; nothing that trains sees them.
    """

    priority = 5  # before the log, which takes what the step returned

    def before_train(self, runner: ECNTrainer) -> None:
        """Read the identities of the target's images."""
        self.pids: Tensor | None = None
        if "target" not in runner.sets:
            return
        pids = torch.from_numpy(true_identities(runner.sets["target"])).to(runner.device)
        self.pids = pids if bool((pids >= 0).all()) else None

    def after_train_iter(self, runner: ECNTrainer, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Add the figures to what the step returned."""
        if "target" not in runner.sets or runner.nearest.shape[1] == 0:
            return
        nearest, anchors = gather(runner.nearest), gather(runner.anchors)  # of the whole batch
        own = nearest == anchors[:, None]
        outputs["neighbours/self"] = own.any(1).float().mean()
        if self.pids is not None:
            right = self.pids[nearest] == self.pids[anchors][:, None]
            outputs["neighbours/precision"] = (right & ~own).sum() / (~own).sum().clamp(min=1)
