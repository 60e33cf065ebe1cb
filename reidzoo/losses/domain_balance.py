"""Domain balance, the domain confusion loss of DomainMix."""

from __future__ import annotations

from torch import Tensor

from reidzoo.losses.domain_confusion import DomainConfusionLoss
from reidzoo.registry import LOSS

__all__ = ["DomainBalanceLoss"]


@LOSS.register_module()
class DomainBalanceLoss(DomainConfusionLoss):
    """Domain balance: ``sum_j (p_j log p_j + 0.5)``, DomainMix (BMVC 2021) Eq. 8; the negative entropy plus n/2.

    The 0.5 stands inside the sum over the n domains, as printed: it changes the logged value only. The minimum is at
    uniform p and is ``n/2 - log n``, 1 - log 2 = 0.307 for two domains. The gradient for logit k is
    ``p_k (log p_k - sum_j p_j log p_j) / B``: 0 at uniform p, and again towards 0 where the discriminator is certain.
    """

    def divergence(self, log_p: Tensor) -> Tensor:
        """Return the (B,) losses of log-probabilities (B, n)."""
        return (log_p.exp() * log_p + 0.5).sum(1)
