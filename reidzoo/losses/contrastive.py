"""Contrastive loss over pairs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidzoo.checks import check, number, one_of
from reidzoo.losses.pairs import find_pairs
from reidzoo.losses.squared_distances import squared_distances
from reidzoo.registry import LOSS

__all__ = ["ContrastiveLoss"]


@LOSS.register_module()
class ContrastiveLoss(nn.Module):
    """``D^2`` for a pair of one identity, ``max(0, margin - D)^2`` for one of two, D the Euclidean distance.

    Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping" (CVPR 2006), Eq. 4, without
    its factors 1/2. The pairs are the i < j of a batch; with ``other_feat`` every row of ``feat`` with every row of it,
    as where two networks embed two views.

    This is ARN (CVPRW 2018) Eq. 2, which is misprinted twice: there is no norm around the difference, so that the
    signed difference of each coordinate would be compared with the margin, and a bracket is not closed. As printed,
    swapping the images of a pair changes its cost, and a pair of two identities far apart still costs.

    Args:
        margin: in the units of the features' distance, which grows with the root of their dimension; ARN does not give
            it. Where it is below the distances that there are, the loss does nothing but pull: see ``active``.
        reduction: ``mean`` over the pairs, or their ``sum`` as in Eq. 2.
        form: ``hadsell``, or ``code``, what ARN's authors' code computes: with ``d = D^2 / dimension``, d for a pair of
            one identity and ``max(0, margin - d)`` for one of two. Its push vanishes where two identities coincide,
            where it ought to be strongest, and is strongest just within the margin.

    Raises:
        ConfigError: a margin that is not positive, or an option that is not listed.
    """

    def __init__(self, margin: float = 2.0, reduction: str = "mean", form: str = "hadsell") -> None:
        super().__init__()
        check(self, number(above=0), margin=margin)
        check(self, one_of("mean", "sum"), reduction=reduction)
        check(self, one_of("hadsell", "code"), form=form)
        self.margin, self.reduction, self.form = margin, reduction, form

    def forward(
        self, feat: Tensor, pid: Tensor, other_feat: Tensor | None = None, other_pid: Tensor | None = None
    ) -> Tensor:
        """Return the scalar loss, 0 where there is no pair.

        Args:
            feat: (B, D).
            pid: (B,) identities.
            other_feat, other_pid: (M, D) and (M,), both or neither.

        Raises:
            ValueError: a pid is negative: no identity; one of ``other_feat`` and ``other_pid`` is missing.
        """
        pairs = find_pairs(feat, pid, other_feat, other_pid)
        costs = self._costs(squared_distances(feat, pairs.other), pairs.same, feat.shape[1])
        count = costs.numel()
        if other_feat is None:
            costs, count = costs.triu(diagonal=1), len(feat) * (len(feat) - 1) // 2
        return costs.sum() / (max(count, 1) if self.reduction == "mean" else 1)

    @torch.no_grad()
    def active(self, feat: Tensor, pid: Tensor) -> Tensor:
        """Return the share of the batch's pairs of two identities that lie within the margin, those which are pushed.

        It is a scalar in [0, 1], 0 where there is no such pair. At 0 the loss does nothing but pull.

        Args:
            feat: (B, D).
            pid: (B,) identities.
        """
        squared, unlike = squared_distances(feat, feat), pid[:, None] != pid[None, :]
        reach = squared / feat.shape[1] if self.form == "code" else squared.sqrt()
        return ((reach < self.margin) & unlike).sum() / unlike.sum().clamp(min=1)

    def _costs(self, squared: Tensor, same: Tensor, dimension: int) -> Tensor:
        """Return each pair's cost, of squared distances and whether it is of one identity, both (B, M)."""
        if self.form == "code":
            squared = squared / dimension
            return torch.where(same, squared, (self.margin - squared).clamp(min=0))
        return torch.where(same, squared, (self.margin - squared.sqrt()).clamp(min=0).square())

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"margin={self.margin}, reduction={self.reduction}, form={self.form}"
