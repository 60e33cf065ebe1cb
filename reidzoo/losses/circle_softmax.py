"""Circle loss with class labels: margin softmax with a weight for each cosine."""

from __future__ import annotations

from torch import Tensor

from reidzoo.checks import check, number
from reidzoo.losses.margin_softmax import MarginSoftmaxLoss
from reidzoo.registry import LOSS

__all__ = ["CircleSoftmaxLoss"]


@LOSS.register_module()
class CircleSoftmaxLoss(MarginSoftmaxLoss):
    """Cross entropy of ``s a_p (c_p - 1 + m)`` for the right class and ``s a_n (c_n - m)`` for the others.

    Sun et al., "Circle loss: a unified perspective of pair similarity optimization" (CVPR 2020), Eq. 4 with the class
    labels of its section 3.3: c are the cosines with the classes' vectors. The weights ``a_p = max(0, 1 + m - c_p)``
    and ``a_n = max(0, c_n + m)`` carry no gradient. ``CircleLoss`` is the form for pairs.

    The logits are a head's cosines: ``HEAD: {type: BNNeck, classifier: cosine}``.

    Args:
        margin: m, in [0, 1); 0.25 in the paper.
        scale: s, the paper's gamma; 128 there for persons.
        smoothing: of the labels, as in ``CrossEntropyLoss``.
    """

    def __init__(self, margin: float = 0.25, scale: float = 128.0, smoothing: float = 0.0) -> None:
        check(self, number(0, below=1), margin=margin)
        super().__init__(margin, scale, smoothing)

    def own(self, cosines: Tensor) -> Tensor:
        """Return a_p (c_p - 1 + m)."""
        return (1 + self.margin - cosines).detach().relu() * (cosines - 1 + self.margin)

    def others(self, cosines: Tensor) -> Tensor:
        """Return a_n (c_n - m)."""
        return (cosines + self.margin).detach().relu() * (cosines - self.margin)
