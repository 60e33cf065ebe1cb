"""AGW's triplet loss of all pairs, weighted by how hard they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.losses.branches import each_branch
from reidzoo.losses.pairs import find_pairs
from reidzoo.losses.squared_distances import squared_distances
from reidzoo.registry import LOSS

__all__ = ["WeightedRegularizedTripletLoss"]


@LOSS.register_module()
class WeightedRegularizedTripletLoss(nn.Module):
    """``log(1 + exp(sum_j w_ij d_ij - sum_k v_ik d_ik))`` of an anchor i, mean over the anchors.

    Ye et al., "Deep learning for person re-identification: a survey and outlook" (TPAMI 2021), Eq. 7 and 8 [?]: j are
    the images of the anchor's identity, k the others, d the Euclidean distances. The weights w are the softmax of the
    positives' distances, v that of the negatives' negated ones, both with gradient as in the authors' code: the hardest
    count most, and there is no margin. As there, the image itself is among its positives, at 1e-6 without gradient; an
    identity's only image still pushes its negatives away. An anchor without a negative costs nothing.
    """

    def forward(
        self, feat: Tensor, pid: Tensor, other_feat: Tensor | None = None, other_pid: Tensor | None = None
    ) -> Tensor:
        """Return the scalar loss.

        Args:
            feat: (B, D), not necessarily normalised, or (B, n, D) of n parts, whose losses are added up.
            pid: (B,) identities.
            other_feat, other_pid: (M, D) and (M,), both or neither: the anchors are compared with these instead. One
                without a positive among them costs nothing.

        Raises:
            ValueError: a pid is negative: no identity.
        """
        if feat.dim() == 3:
            return each_branch(lambda part: self(part, pid), feat)
        other, same, _ = find_pairs(feat, pid, other_feat, other_pid)
        distance = squared_distances(feat, other)
        if other_feat is None:
            # Rounding leaves an image at a distance from itself.
            distance = distance.masked_fill(torch.eye(len(pid), dtype=torch.bool, device=pid.device), 1e-12)
        distance = distance.sqrt()
        nearest = _weighted_mean(distance, -distance, ~same)
        cost = functional.softplus(_weighted_mean(distance, distance, same) - nearest)
        return torch.where(same.any(1) & ~same.all(1), cost, torch.zeros_like(cost)).mean()


def _weighted_mean(distance: Tensor, scores: Tensor, wanted: Tensor) -> Tensor:
    """Return each row's mean (B,) over the ``wanted`` columns, weighted by the softmax of their scores.

    All are (B, M); a row without any has a finite number and no meaning.
    """
    weights = scores.masked_fill(~wanted, torch.finfo(scores.dtype).min).softmax(1)
    return (weights * distance).sum(1)
