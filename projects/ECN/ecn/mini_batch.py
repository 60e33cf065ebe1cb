"""Invariance learning within the mini-batch: what ECN's Table 3 compares the memory with."""

from __future__ import annotations

import torch
from torch import Tensor

from reidzoo.errors import ConfigError
from reidzoo.memories import InvarianceMemory
from reidzoo.registry import MEMORY

__all__ = ["MiniBatchExemplars"]


@MEMORY.register_module()
class MiniBatchExemplars(InvarianceMemory):
    """In place of ``ExemplarMemory``: the classes of Eq. 3 are the images of the batch, and their features its keys.

    ECN, section 4.4: "input samples are composed of the target samples, corresponding CamStyle samples and
    corresponding k-nearest neighbors". The authors have not released it. Here a batch is P anchors, the same P images
    once more, the k - 1 nearest neighbours of each (``NeighbourSampler``), and further images where the batch is no
    multiple. Every image is drawn under a camera of its own, also the two of an anchor. The first P are compared with
    all others, which carry gradient too; an image that stands there twice counts once. Weights are Eq. 6's.

    Neighbours are searched again before each epoch, by ``NeighbourHook`` from the features that are tested; they are a
    buffer, and so in every checkpoint.

    Args:
        dim: not used; part of every memory's signature.
        size: N, the number of target images.
        temperature, exemplar, neighbours, neighbours_from: see ``InvarianceMemory``.

    Attributes:
        neighbours_of: int64 buffer (N, max(k - 1, 0)), the nearest images to each, without itself.

    Raises:
        ConfigError: an argument is out of its range.
    """

    neighbours_of: Tensor

    def __init__(
        self,
        dim: int,
        size: int,
        temperature: float = 0.05,
        exemplar: bool = True,
        neighbours: int = 6,
        neighbours_from: int = 5,
    ) -> None:
        super().__init__(temperature, exemplar, neighbours, neighbours_from)
        if neighbours > size:
            raise ConfigError(f"{type(self).__name__}: {neighbours} neighbours of a set of {size} images")
        self.register_buffer("neighbours_of", torch.zeros(size, max(neighbours - 1, 0), dtype=torch.int64))

    @torch.no_grad()
    def take_neighbours(self, nearest: Tensor) -> None:
        """Take the neighbours of the coming epoch, int64 (N, k), each image's own number first."""
        self.neighbours_of.copy_(nearest[:, 1:])

    def anchors(self, batch_size: int, epoch: int) -> int:
        """Return P for a batch of ``batch_size`` images."""
        return batch_size // (self.neighbours + 1 if self.with_neighbours(epoch) else 2)

    def forward(self, feat: Tensor, index: Tensor, epoch: int) -> Tensor:
        """Return the scores (P, B - P) of the anchors against the rest of the batch; repeated images have -inf.

        Args:
            feat: (B, D), L2-normalised, the whole batch of all processes.
            index: int64 (B,), which image each row is.
            epoch: counted from 0.
        """
        count = self.anchors(len(feat), epoch)
        with torch.autocast(feat.device.type, enabled=False):
            feat = feat.float()
            scores = (feat[:count] / self.temperature) @ feat[count:].t()
        same = index[count:, None] == index[None, count:]
        return scores.masked_fill(same.tril(-1).any(1), -torch.inf)

    def targets(self, scores: Tensor, index: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Return the soft labels of ``scores`` (P, B - P): an anchor's own column has its own number, not ``index``."""
        return super().targets(scores, torch.arange(len(scores), device=scores.device), epoch)
