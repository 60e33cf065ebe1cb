"""The negated cross entropy of a nuisance classifier."""

from __future__ import annotations

from torch import Tensor, nn

from reidzoo.losses.branches import branch_log_probabilities, sum_over_branches
from reidzoo.registry import LOSS

__all__ = ["NegatedCrossEntropyLoss"]


@LOSS.register_module()
class NegatedCrossEntropyLoss(nn.Module):
    """RG, reversed gradient: ``log c_y`` of the true nuisance y, ADIN (Yuan et al., WACV 2020) Eq. 4.

    **Minimum**: none; it falls without bound as c_y goes to 0, where the classifier is certain of a *wrong* nuisance:
    the features then tell the nuisance as well as before. Its gradient for the features is that of the cross entropy
    behind ``reverse_gradient`` of scale 1. For logit k it is ``[k = y] - c_k``: near 0 where the classifier is
    right, as a trained one is, and not where it is wrong.
    """

    def forward(self, nuisance_logits: Tensor, nuisance_label: Tensor) -> Tensor:
        """Return the scalar loss, mean over the batch.

        Args:
            nuisance_logits: (B, K), or (B, n, K) of n branches, whose losses are added up.
            nuisance_label: int64 (B,).
        """
        log_c = branch_log_probabilities(nuisance_logits)
        label = nuisance_label[:, None, None].expand(-1, log_c.shape[1], 1)
        return sum_over_branches(log_c.gather(2, label)[..., 0])
