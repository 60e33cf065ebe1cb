"""ArcFace: margin softmax with the margin on the angle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reidzoo.checks import check, number
from reidzoo.losses.margin_softmax import MarginSoftmaxLoss
from reidzoo.registry import LOSS

__all__ = ["ArcFaceLoss"]


@LOSS.register_module()
class ArcFaceLoss(MarginSoftmaxLoss):
    """``-log exp(s cos(a + m)) / (exp(s cos(a + m)) + sum_j exp(s cos a_j))``, a the angle to the right class's vector.

    Deng et al., "ArcFace: additive angular margin loss for deep face recognition" (CVPR 2019), Eq. 3. Where a + m is
    beyond pi, cos(a + m) would rise again; there it is ``cos a - m sin m``, as in the authors' code, which falls.

    The logits are a head's cosines: ``HEAD: {type: BNNeck, classifier: cosine}``.

    Args:
        margin: m, radians in [0, 1.5]; 0.5 in the paper.
        scale: s; 64 in the paper, of faces.
        smoothing: of the labels, as in ``CrossEntropyLoss``.
    """

    def __init__(self, margin: float = 0.5, scale: float = 64.0, smoothing: float = 0.0) -> None:
        check(self, number(0, 1.5), margin=margin)
        super().__init__(margin, scale, smoothing)

    def own(self, cosines: Tensor) -> Tensor:
        """Return cos(a + m) of cos a."""
        sines = (1 - cosines.square()).clamp(min=1e-12).sqrt()
        wider = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        beyond = cosines < math.cos(math.pi - self.margin)
        return torch.where(beyond, cosines - self.margin * math.sin(self.margin), wider)
