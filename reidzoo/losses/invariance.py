"""ECN's loss of invariance learning."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.registry import LOSS

__all__ = ["InvarianceLoss"]


@LOSS.register_module()
class InvarianceLoss(nn.Module):
    """Cross entropy against soft labels of which few are not 0: ``-sum_j w_ij log p(j | x_i)``, mean over the batch.

    ECN (Zhong et al., CVPR 2019) Eq. 8, of which Eq. 4, 5 and 7 are the parts; p is the softmax of Eq. 3. The weights
    are those of Eq. 6, see ``ExemplarMemory.targets``; they need not add up to 1. One softmax does for all terms.
    """

    def forward(self, scores: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            scores: (B, N) logits of the N classes.
            columns: int64 (B, m), the classes with a weight; one may stand there twice, its weights add up.
            weights: (B, m), not negative.
        """
        log_p = F.log_softmax(scores, dim=1).gather(1, columns)
        return -(weights * log_p).sum(1).mean()
