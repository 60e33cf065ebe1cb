"""ECN's exemplar memory: one key for each target image."""

from __future__ import annotations

import torch
from torch import Tensor

from reidzoo.checks import PROBABILITY, check, one_of
from reidzoo.errors import ConfigError
from reidzoo.memories.invariance_memory import InvarianceMemory, invariance_targets
from reidzoo.memories.moved_rows import checked_rows, move_rows
from reidzoo.registry import MEMORY

__all__ = ["ExemplarMemory"]


@MEMORY.register_module()
class ExemplarMemory(InvarianceMemory):
    """Holds the newest feature of every target image, and gives the soft labels of the three invariances.

    Zhong et al., "Invariance Matters: Exemplar Memory for Domain Adaptive Person Re-identification" (CVPR 2019),
    sections 3.3 and 3.4. Each image is a class of its own: its score is the inner product with its key over the
    temperature (Eq. 3), the keys start as zeros, and ``update`` moves those of a batch (Eq. 2). ``targets`` gives the
    weights of Eq. 6 and 8; with ``InvarianceLoss`` they make the loss of the target.

    The switches are the rows of the paper's Table 2: E (Eq. 4) is ``exemplar``, N (Eq. 7) is ``neighbours`` > 0.
    C (Eq. 5) lies in the images, see ``CamStyled``: where they are camera-style versions, the same terms are C's.

    The text says both that alpha begins at 0.01 and that it is 0.01 x epoch; the authors' code counts epochs from 0, so
    that in the first one a key is replaced. ``momentum_start: 0.01`` is the other reading. Eq. 2's normalisation is
    misprinted; K / ||K|| is meant.

    ``update`` may not come between a ``forward`` and its backward pass; autograd reports it.

    Args:
        dim: D, the features' dimension.
        size: N, the number of target images.
        temperature: beta.
        momentum_start: alpha in epoch 0, in [0, 1].
        momentum_per_epoch: what each epoch adds to alpha, which ends at 1; in [0, 1].
        exemplar: whether an image is to find its own class.
        neighbours: k, the size of the neighbourhood with the image itself; 0 for none.
        neighbours_from: the first epoch, counted from 0, with neighbourhoods.
        neighbours_by: ``scores`` takes the images with the greatest of the step's scores, as in the paper; ``tested``
            those nearest by the features that are tested, which a hook gives to ``take_neighbours`` before each epoch.

    Attributes:
        keys: (N, D) float32 buffer; rows are L2-normalised, or zeros until their image is met.
        neighbours_of: int64 buffer (N, k) with ``tested``, -1 before they are found; None otherwise.

    Raises:
        ConfigError: an argument is out of its range; with ``tested``, there is no neighbour to find, or too many.
    """

    keys: Tensor
    neighbours_of: Tensor | None

    def __init__(
        self,
        dim: int,
        size: int,
        temperature: float = 0.05,
        momentum_start: float = 0.0,
        momentum_per_epoch: float = 0.01,
        exemplar: bool = True,
        neighbours: int = 6,
        neighbours_from: int = 5,
        neighbours_by: str = "scores",
    ) -> None:
        super().__init__(temperature, exemplar, neighbours, neighbours_from)
        check(self, one_of("scores", "tested"), neighbours_by=neighbours_by)
        check(self, PROBABILITY, momentum_start=momentum_start, momentum_per_epoch=momentum_per_epoch)
        if neighbours_by == "tested" and not 2 <= neighbours <= size:
            raise ConfigError(
                f"{type(self).__name__}: neighbours_by: tested takes neighbours from 2, an image and another, to the "
                f"{size} images of the set; got {neighbours}"
            )
        self.momentum_start, self.momentum_per_epoch = momentum_start, momentum_per_epoch
        self.register_buffer("keys", torch.zeros(size, dim))
        found = torch.full((size, neighbours), -1) if neighbours_by == "tested" else None
        self.register_buffer("neighbours_of", found)

    def momentum(self, epoch: int) -> float:
        """Return alpha, the old key's share in an update during ``epoch`` (from 0)."""
        return min(self.momentum_start + self.momentum_per_epoch * epoch, 1.0)

    @torch.no_grad()
    def take_neighbours(self, nearest: Tensor) -> None:
        """Take the coming epoch's neighbours, int64 (N, k), each image's own number first; only with ``tested``."""
        if self.neighbours_of is not None:
            self.neighbours_of.copy_(nearest)

    def targets(self, scores: Tensor, index: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Return the soft labels of ``scores`` (B, N), as ``InvarianceMemory`` does, or with the tested neighbours."""
        if self.neighbours_of is None or not self.with_neighbours(epoch):
            return super().targets(scores, index, epoch)
        return invariance_targets(scores, index, self.neighbours, self.exemplar, self.neighbours_of[index])

    def forward(self, feat: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the scores (B, N) of L2-normalised ``feat`` (B, D), in float32: the exponents of Eq. 3.

        ``index`` is part of every memory's signature; these scores do not depend on it.
        """
        with torch.autocast(feat.device.type, enabled=False):
            # The division is of (B, D), not of the many times greater (B, N).
            return (feat.to(self.keys.dtype) / self.temperature) @ self.keys.t()

    @torch.no_grad()
    def update(self, feat: Tensor, index: Tensor, epoch: int) -> None:
        """Move the keys ``index`` (B,) towards ``feat`` (B, D): K <- alpha K + (1 - alpha) f, normalised (Eq. 2).

        Call it after the optimizer's step. A key that occurs several times is moved as often, in the order of the
        batch. With several processes all give the whole batch, so that their memories stay the same. Give an ``index``
        on the CPU, such as a ``HostCopy``'s: for one on another device the step waits.

        Raises:
            IndexError: a row is outside 0..N-1.
        """
        move_rows(self.keys, checked_rows(self.keys, index), feat, self.momentum(epoch))
