"""The base of domain confusion losses, which make features uninformative about their domain."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["DomainConfusionLoss"]


class DomainConfusionLoss(nn.Module):
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
        raise NotImplementedError(f"{type(self).__name__} needs a divergence(log_p)")
