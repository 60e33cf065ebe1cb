"""CosFace: margin softmax with the margin on the cosine."""

from __future__ import annotations

from torch import Tensor

from reidzoo.checks import check, number
from reidzoo.losses.margin_softmax import MarginSoftmaxLoss
from reidzoo.registry import LOSS

__all__ = ["CosFaceLoss"]


@LOSS.register_module()
class CosFaceLoss(MarginSoftmaxLoss):
    """``-log exp(s (c - m)) / (exp(s (c - m)) + sum_j exp(s c_j))``, c the cosine with the right class's vector.

    Wang et al., "CosFace: large margin cosine loss for deep face recognition" (CVPR 2018), Eq. 4; the same as
    AM-softmax (Wang et al., 2018).

    The logits are a head's cosines: ``HEAD: {type: BNNeck, classifier: cosine}``.

    Args:
        margin: m, in [0, 1]; 0.35 in the paper.
        scale: s; 64 in the paper, of faces.
        smoothing: of the labels, as in ``CrossEntropyLoss``.
    """

    def __init__(self, margin: float = 0.35, scale: float = 64.0, smoothing: float = 0.0) -> None:
        check(self, number(0, 1), margin=margin)
        super().__init__(margin, scale, smoothing)

    def own(self, cosines: Tensor) -> Tensor:
        """Return c - m."""
        return cosines - self.margin
