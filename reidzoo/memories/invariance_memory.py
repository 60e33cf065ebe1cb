"""The base of memories of ECN's invariances: the soft labels of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidzoo.checks import FLAG, check, number, whole
from reidzoo.errors import ConfigError

__all__ = ["InvarianceMemory", "greatest", "invariance_targets"]

BLOCK = 64  # scores that share one maximum in the search for the greatest


class InvarianceMemory(nn.Module):
    """Gives the soft labels of ECN's exemplar and neighbourhood invariance (Zhong et al., CVPR 2019, Eq. 4 and 6 to 8).

    Args:
        temperature: beta, of the scores; positive.
        exemplar: whether an image is to find itself.
        neighbours: k, the size of the neighbourhood with the image itself; 0 for none.
        neighbours_from: the first epoch, counted from 0, with neighbourhoods.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(self, temperature: float, exemplar: bool, neighbours: int, neighbours_from: int) -> None:
        super().__init__()
        check(self, number(above=0), temperature=temperature)
        check(self, FLAG, exemplar=exemplar)
        check(self, whole(0), neighbours=neighbours, neighbours_from=neighbours_from)
        if not (exemplar or neighbours):
            raise ConfigError(f"{type(self).__name__}: without the exemplar term, neighbours must be more than 0")
        self.temperature = temperature
        self.exemplar, self.neighbours, self.neighbours_from = exemplar, neighbours, neighbours_from

    def with_neighbours(self, epoch: int) -> bool:
        """Return whether images have neighbours beside themselves in ``epoch``."""
        return self.neighbours > 1 and epoch >= self.neighbours_from

    def targets(self, scores: Tensor, index: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Return the soft labels of ``scores`` (B, N) in ``epoch`` for the images ``index`` (B,).

        Returns:
            Columns, int64 (B, m), and their weights (B, m); see ``invariance_targets``.
        """
        neighbours = self.neighbours if epoch >= self.neighbours_from else 0
        return invariance_targets(scores, index, neighbours, self.exemplar)


@torch.no_grad()
def invariance_targets(
    scores: Tensor, index: Tensor, neighbours: int, exemplar: bool = True, nearest: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the weights of ECN's Eq. 6 and 8 as columns and weights, both (B, k + 1), or (B, 1) without neighbours.

    The ``neighbours`` greatest of the current scores, which may include the image itself, weigh 1/k each, and the
    image itself 1, or 0 without ``exemplar``. They are not normalised: a row adds up to 1 + (k-1)/k, or to 2 where the
    image is not among its own neighbours, as in the authors' code. The text takes it that the image always is.

    Args:
        scores: (B, N).
        index: int64 (B,), each image's own column.
        neighbours: k; 0 for none.
        exemplar: whether the image's own column counts.
        nearest: int64 (B, k), the neighbours in place of those by the scores.
    """
    columns = index[:, None]
    weights = scores.new_full(columns.shape, float(exemplar))
    if neighbours:
        nearest = greatest(scores, neighbours) if nearest is None else nearest
        shares = torch.where(nearest == columns, scores.new_zeros(()), scores.new_full((), 1.0 / neighbours))
        columns, weights = torch.cat([nearest, columns], dim=1), torch.cat([shares, weights], dim=1)
    return columns, weights


def greatest(scores: Tensor, count: int) -> Tensor:
    """Return the columns (B, min(count, N)) of each row's greatest scores, greatest first.

    ``torch.topk`` in two steps: the greatest lie in those blocks whose maxima are the greatest. One pass over the
    scores finds the maxima; what is left to sort is small.
    """
    count = min(count, scores.shape[1])
    whole = scores.shape[1] // BLOCK
    if whole <= 2 * count:
        return scores.topk(count, dim=1).indices
    blocks = scores[:, : whole * BLOCK].unflatten(1, (whole, BLOCK))
    chosen = blocks.amax(2).topk(count, dim=1).indices
    columns = (chosen[:, :, None] * BLOCK + torch.arange(BLOCK, device=scores.device)).flatten(1)
    rest = torch.arange(whole * BLOCK, scores.shape[1], device=scores.device).expand(len(scores), -1)
    columns = torch.cat([columns, rest], dim=1)
    return columns.gather(1, scores.gather(1, columns).topk(count, dim=1).indices)
