"""The similarity discriminator D_s, which classifies whether a probe and a gallery image show the same identity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.checks import WIDTH, check, each
from reidzoo.registry import DISCRIMINATOR

__all__ = ["SimilarityDiscriminator"]


@DISCRIMINATOR.register_module()
class SimilarityDiscriminator(nn.Module):
    """Fully connected layers with ReLU on the two concatenated features, and one logit for every pair.

    Takes all n x m pairs at once. The first layer is a sum of two, of the probe's and of the gallery's half of its
    columns, each computed once for an image: the same numbers as on concatenations, for a fraction of the work.

    Args:
        in_channels: D of either feature.
        widths: of the hidden layers.
    """

    def __init__(self, in_channels: int, widths: Sequence[int] = (1024, 2048)) -> None:
        super().__init__()
        check(self, each(WIDTH), widths=widths)
        inputs, outputs = [2 * in_channels, *widths], [*widths, 1]
        self.layers = nn.ModuleList([nn.Linear(*sizes) for sizes in zip(inputs, outputs)])

    def forward(self, probe: Tensor, gallery: Tensor) -> Tensor:
        """Return the logits (n, m) of features (n, D) and (m, D)."""
        first, *rest = cast(Iterable[nn.Linear], self.layers)
        left, right = first.weight.chunk(2, dim=1)
        hidden = F.linear(probe, left, first.bias)[:, None] + F.linear(gallery, right)[None]
        for layer in rest:
            hidden = layer(F.relu(hidden))
        return hidden.squeeze(2)
