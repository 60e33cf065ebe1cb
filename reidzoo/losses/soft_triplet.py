"""Triplet loss against another network's opinion of the same triplets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.losses.triplet import mine_batch_hard, triplet_differences
from reidzoo.registry import LOSS

__all__ = ["SoftTripletLoss"]


@LOSS.register_module()
class SoftTripletLoss(nn.Module):
    """The soft softmax-triplet loss of MMT (ICLR 2020, section 3.2).

    With d_p and d_n the distances of an anchor to its hardest positive and negative, a network's opinion of the
    triplet is T = exp(d_n) / (exp(d_p) + exp(d_n)); T' is the other network's mean teacher's, without gradient. The
    loss is the binary cross entropy ``-T' log T - (1 - T') log(1 - T)``, mean over the anchors. The triplets are mined
    in the network's own features, and the teacher is asked about the same images. T' = 1 gives ``TripletLoss``.

    As in ``TripletLoss``, an anchor that is its identity's only image is its own positive, and one without a negative
    costs nothing.
    """

    def forward(self, feat: Tensor, teacher_feat: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            feat: (B, D), not necessarily normalised, or (B, n, D) of n parts, whose losses are added up.
            teacher_feat: (B, D') of the same images, or (B, n, D').
            pid: (B,) identities.
        """
        if feat.dim() == 3:
            parts = zip(feat.unbind(1), teacher_feat.unbind(1), strict=True)
            return torch.stack([self(part, teacher, pid) for part, teacher in parts]).sum()
        positive, negative, has_negative = mine_batch_hard(feat, pid)
        with torch.no_grad():
            opinion = torch.sigmoid(-triplet_differences(teacher_feat, positive, negative))
        difference = triplet_differences(feat, positive, negative)
        cost = opinion * F.softplus(difference) + (1 - opinion) * F.softplus(-difference)
        return torch.where(has_negative, cost, torch.zeros_like(cost)).mean()
