"""Instance loss: each image is a class of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.checks import check, number
from reidzoo.directions import directions
from reidzoo.losses.branches import each_branch
from reidzoo.registry import LOSS

__all__ = ["InstanceLoss"]


@LOSS.register_module()
class InstanceLoss(nn.Module):
    """``-log exp(s f_i g_i) / sum_j exp(s f_i g_j)``: of the batch, an image is to be most like itself.

    Zheng et al., "Dual-path convolutional image-text embeddings with instance loss" (ACM TOMM 2020), Eq. 3 [?], have a
    class for each image of the training set; here the classes are the images of the batch, and their vectors the
    normalised features g of another view or modality of the same images, those of the view itself where there is none:
    then f_i g_i is 1, and images are pushed apart, those of one identity too. The authors' code of this form takes
    identities as well, but as columns of the batch, which they are not; no identities are taken here.

    A class for each image of the training set is ``CrossEntropyLoss`` of a memory's scores with ``pid: index``.

    Args:
        scale: s, positive; 64 in pytorch-metric-learning.

    Raises:
        ConfigError: the scale is out of its range.
    """

    def __init__(self, scale: float = 64.0) -> None:
        super().__init__()
        check(self, number(above=0), scale=scale)
        self.scale = scale

    def forward(self, feat: Tensor, other_feat: Tensor | None = None) -> Tensor:
        """Return the scalar loss, mean over the batch.

        Args:
            feat: (B, D), not necessarily normalised, or (B, n, D) of n parts, whose losses are added up.
            other_feat: (B, D), the same images in another view.
        """
        if feat.dim() == 3:
            return each_branch(self, feat)
        first = directions(feat)
        second = first if other_feat is None else directions(other_feat)
        return functional.cross_entropy(self.scale * first @ second.t(), torch.arange(len(feat), device=feat.device))

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"scale={self.scale}"
