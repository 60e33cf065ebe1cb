"""Circle loss of the pairs of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.checks import check, number
from reidzoo.directions import directions
from reidzoo.losses.branches import each_branch
from reidzoo.losses.pairs import find_pairs
from reidzoo.registry import LOSS

__all__ = ["CircleLoss"]


@LOSS.register_module()
class CircleLoss(nn.Module):
    """``log(1 + sum_n exp(s a_n (s_n - m)) sum_p exp(-s a_p (s_p - 1 + m)))``, mean over the anchors.

    Sun et al., "Circle loss: a unified perspective of pair similarity optimization" (CVPR 2020), Eq. 6, over the pairs
    of a batch: s_p and s_n are an anchor's cosine similarities with the other images of its identity and with those of
    other identities. The weights ``a_p = max(0, 1 + m - s_p)`` and ``a_n = max(0, s_n + m)`` carry no gradient: a
    similarity far from its optimum is moved with more force. An anchor without a positive or without a negative costs
    nothing; a feature of zeros is at similarity 0 with all, and has no gradient. ``CircleSoftmaxLoss`` is the form for
    class labels.

    Args:
        margin: m, in [0, 1); 0.25 in the paper.
        scale: s, the paper's gamma, positive; 128 there for persons.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(self, margin: float = 0.25, scale: float = 128.0) -> None:
        super().__init__()
        check(self, number(0, below=1), margin=margin)
        check(self, number(above=0), scale=scale)
        self.margin, self.scale = margin, scale

    def forward(
        self, feat: Tensor, pid: Tensor, other_feat: Tensor | None = None, other_pid: Tensor | None = None
    ) -> Tensor:
        """Return the scalar loss.

        Args:
            feat: (B, D), not necessarily normalised, or (B, n, D) of n parts, whose losses are added up.
            pid: (B,) identities.
            other_feat, other_pid: (M, D) and (M,), both or neither: the anchors are compared with these instead.

        Raises:
            ValueError: a pid is negative: no identity.
        """
        if feat.dim() == 3:
            return each_branch(lambda part: self(part, pid), feat)
        pairs = find_pairs(feat, pid, other_feat, other_pid)
        similarity = directions(feat) @ directions(pairs.other).t()
        pull = (1 + self.margin - similarity).detach().relu() * (similarity - 1 + self.margin)
        push = (similarity + self.margin).detach().relu() * (similarity - self.margin)
        total = _log_sum(-self.scale * pull, pairs.alike) + _log_sum(self.scale * push, ~pairs.same)
        return functional.softplus(total).mean()

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"margin={self.margin}, scale={self.scale}"


def _log_sum(exponents: Tensor, wanted: Tensor) -> Tensor:
    """Return each row's log of the sum of exp over the ``wanted`` columns, a number far below 0 if none is."""
    return exponents.masked_fill(~wanted, torch.finfo(exponents.dtype).min / 4).logsumexp(1)
