"""The negative entropy of a nuisance classifier's output."""

from __future__ import annotations

from torch import Tensor, nn

from reidzoo.checks import FLAG, check
from reidzoo.losses.branches import branch_log_probabilities, sum_over_branches
from reidzoo.registry import LOSS

__all__ = ["NegativeEntropyLoss"]


@LOSS.register_module()
class NegativeEntropyLoss(nn.Module):
    """NE: ``sum_k c_k log c_k`` of the nuisance classifier's output c, ADIN (Yuan et al., WACV 2020) Eq. 5.

    **Minimum**: at uniform c, where it is -log K. The gradient for logit k is ``c_k (log c_k - sum_j c_j log c_j)``: 0
    at uniform c, and again towards 0 where the classifier is certain.

    Args:
        per_class: divide by K, as the authors' code does; its learning rates go with it.
    """

    def __init__(self, per_class: bool = False) -> None:
        super().__init__()
        check(self, FLAG, per_class=per_class)
        self.per_class = per_class

    def forward(self, nuisance_logits: Tensor) -> Tensor:
        """Return the scalar loss, mean over the batch, of logits (B, K), or (B, n, K) of n branches to add up."""
        log_c = branch_log_probabilities(nuisance_logits)
        loss = sum_over_branches((log_c.exp() * log_c).sum(-1))
        return loss / log_c.shape[-1] if self.per_class else loss

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"per_class={self.per_class}"
