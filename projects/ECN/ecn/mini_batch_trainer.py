"""ECN without its memory."""

from __future__ import annotations

from torch import Tensor

from ecn.trainer import ECNTrainer
from reidzoo.distributed import gather
from reidzoo.registry import TRAINER

__all__ = ["MiniBatchTrainer"]


@TRAINER.register_module()
class MiniBatchTrainer(ECNTrainer):
    """``ECNTrainer`` with ``MiniBatchExemplars`` in place of the memory (the first row of ECN's Table 3)."""

    def compare(self, feat: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Return the scores of the whole batch's anchors, on every process the same, and their soft labels.

        The losses gather what they are given, so with R processes each anchor stands there R times; the mean is the
        same, and so is its gradient.
        """
        index = gather(index)
        scores = self.memory(gather(feat), index, self.epoch)
        columns, weights = self.memory.targets(scores.detach(), index, self.epoch)
        self.anchors, others = index[: len(scores)], index[len(scores) :]
        self.nearest = others[columns[:, :-1]]
        return {"scores": scores, "columns": columns, "weights": weights}

    def remember(self, feat: Tensor, index: Tensor) -> None:
        """Do nothing: there is no memory."""
