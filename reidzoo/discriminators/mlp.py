"""A discriminator of fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from reidzoo.checks import FLAG, PROBABILITY, WIDTH, check, each, whole
from reidzoo.registry import DISCRIMINATOR

__all__ = ["MLPDiscriminator"]


@DISCRIMINATOR.register_module()
class MLPDiscriminator(nn.Module):
    """Linear, batch norm and leaky ReLU per hidden width, then a linear layer to the classes.

    ``norm=False, slope=0`` leaves Linear and ReLU. The defaults are those of DomainMix's released code; the paper (BMVC
    2021) gives no sizes. Initialisation is PyTorch's default.

    Args:
        in_channels: D of the features.
        widths: the hidden layers' widths; may be empty for a linear discriminator.
        num_classes: n, the number of domains, 2 or more.
        slope: the leaky ReLU's negative slope, in [0, 1].
        norm: whether there is batch norm.
        standardise: batch norm without weights before the first layer. Directions in which the classes' means differ by
            little, next to what all features have in common, are then as large as others, and learnt as fast.

    Attributes:
        num_classes: as above.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int] = (1024, 512, 256),
        num_classes: int = 2,
        slope: float = 0.2,
        norm: bool = True,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        check(self, each(WIDTH), widths=widths)
        check(self, whole(2, 65536), num_classes=num_classes)
        check(self, PROBABILITY, slope=slope)
        check(self, FLAG, norm=norm, standardise=standardise)
        self.num_classes = num_classes
        layers: list[nn.Module] = [nn.BatchNorm1d(in_channels, affine=False)] if standardise else []
        for width in widths:
            layers += [nn.Linear(in_channels, width), *([nn.BatchNorm1d(width)] if norm else []), nn.LeakyReLU(slope)]
            in_channels = width
        self.layers = nn.Sequential(*layers, nn.Linear(in_channels, num_classes))

    def forward(self, feat: Tensor) -> Tensor:
        """Return the logits (B, n) of ``feat`` (B, D)."""
        return self.layers(feat)
