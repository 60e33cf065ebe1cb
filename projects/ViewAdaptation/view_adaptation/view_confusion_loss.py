"""The view confusion loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.registry import LOSS

__all__ = ["ViewConfusionLoss"]


@LOSS.register_module()
class ViewConfusionLoss(nn.Module):
    """Eq. 3 (Wu et al., arXiv 1904.01755): cross entropy of the view discriminator against the uniform distribution.

    ``-1/2 (log D_d + log (1 - D_d))``, the mean over the probe's images plus that over the gallery's. **Minimum**:
    2 log 2, where D_d is 1/2 everywhere.
    """

    def forward(self, view_logits: Tensor, viewid: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            view_logits: (B, 2), of the probe's and the gallery's view.
            viewid: (B,) 0 for the probe's view, 1 for the gallery's; both are there.
        """
        costs = -F.log_softmax(view_logits, dim=1).mean(1)
        first, second = viewid == 0, viewid == 1
        return (costs * first).sum() / first.sum() + (costs * second).sum() / second.sum()
