"""The domain confusion loss that is a symmetric divergence."""

from __future__ import annotations

from torch import Tensor

from reidzoo.losses.domain_confusion import DomainConfusionLoss
from reidzoo.registry import LOSS

__all__ = ["SymmetricKLLoss"]


@LOSS.register_module()
class SymmetricKLLoss(DomainConfusionLoss):
    """Symmetric divergence from the uniform h: ``KL(p || h) + KL(h || p)``, DomainMix (BMVC 2021) Eq. 6 and 7.

    Computed as ``sum_j (p_j - 1/n) log p_j``, which equals it: the two log n cancel. The minimum is 0, at uniform p.
    The gradient for logit k is ``(p_k (log p_k - sum_j p_j log p_j) + p_k - 1/n) / B``: unlike the domain balance's it
    does not vanish where the discriminator is certain.
    """

    def divergence(self, log_p: Tensor) -> Tensor:
        """Return the (B,) losses of log-probabilities (B, n)."""
        return ((log_p.exp() - 1 / log_p.shape[1]) * log_p).sum(1)
