"""DomainMix's two domain confusion losses, which make features uninformative about their domain."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.registry import LOSS

__all__ = ["DomainBalanceLoss", "SymmetricKLLoss"]


class _DomainConfusion(nn.Module):
    """Mean over the batch of a function of the discriminator's log-probabilities, least where they are uniform."""

    def forward(self, domain_logits: Tensor) -> Tensor:
        """Return the scalar loss of ``domain_logits`` (B, n), the discriminator's output for n >= 2 domains.

        Raises:
            ValueError: the logits are not (B, n) with n >= 2.
        """
        if domain_logits.dim() != 2 or domain_logits.shape[1] < 2:
            raise ValueError(f"domain_logits must be (B, n) with n >= 2 domains, got {tuple(domain_logits.shape)}")
        return self.divergence(F.log_softmax(domain_logits, dim=1)).mean()

    def divergence(self, log_p: Tensor) -> Tensor:
        """Return the (B,) losses of log-probabilities (B, n)."""
        raise NotImplementedError


@LOSS.register_module()
class DomainBalanceLoss(_DomainConfusion):
    """Domain balance: ``sum_j (p_j log p_j + 0.5)``, DomainMix (BMVC 2021) Eq. 8; the negative entropy plus n/2.

    The 0.5 stands inside the sum over the n domains, as printed: it changes the logged value only. The minimum is at
    uniform p and is ``n/2 - log n``, 1 - log 2 = 0.307 for two domains. The gradient for logit k is
    ``p_k (log p_k - sum_j p_j log p_j) / B``: 0 at uniform p, and again towards 0 where the discriminator is certain.
    """

    def divergence(self, log_p: Tensor) -> Tensor:
        """Return the (B,) losses of log-probabilities (B, n)."""
        return (log_p.exp() * log_p + 0.5).sum(1)


@LOSS.register_module()
class SymmetricKLLoss(_DomainConfusion):
    """Symmetric divergence from the uniform h: ``KL(p || h) + KL(h || p)``, DomainMix (BMVC 2021) Eq. 6 and 7.

    Computed as ``sum_j (p_j - 1/n) log p_j``, which equals it: the two log n cancel. The minimum is 0, at uniform p.
    The gradient for logit k is ``(p_k (log p_k - sum_j p_j log p_j) + p_k - 1/n) / B``: unlike the domain balance's it
    does not vanish where the discriminator is certain.
    """

    def divergence(self, log_p: Tensor) -> Tensor:
        """Return the (B,) losses of log-probabilities (B, n)."""
        return ((log_p.exp() - 1 / log_p.shape[1]) * log_p).sum(1)
