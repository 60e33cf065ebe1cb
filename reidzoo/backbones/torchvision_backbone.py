"""Any convolutional network of torchvision, and its Swins, as a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torchvision
from torch import nn

from reidzoo.checks import ARGUMENTS, FLAG, TEXT, WEIGHTS, check, either
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import BACKBONE, MISFITS
from reidzoo.suggest import did_you_mean
from reidzoo.weights.imagenet import load_pretrained

__all__ = ["TorchvisionBackbone"]

FAMILIES = (
    "alexnet", "convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext",
    "shufflenet", "squeezenet", "swin", "vgg", "wide_resnet",
)  # fmt: skip
"""The networks whose children, up to the pooling, are passed one after the other."""
BEHIND_THE_MAP = ("avgpool", "flatten", "fc", "classifier", "head")


@BACKBONE.register_module()
class TorchvisionBackbone(nn.Module):
    """A network of torchvision, by torchvision's name, without its pooling and classifier.

    Images may be of any size. The names of the weights are torchvision's, so that its files and those of others that
    have its names fit; they are loaded strictly. Vision transformers are ``TimmBackbone``'s, and of ResNets, VGGs and
    MobileNetV2 reidzoo has its own, with the options of re-identification.

    Args:
        name: torchvision's name: ``mobilenet_v2``, ``mobilenet_v3_small``, ``convnext_tiny``, ``efficientnet_b0``,
            ``regnet_y_400mf``, ``shufflenet_v2_x0_5``, ``densenet121``, ``resnext50_32x4d``, ``swin_t``, ...
        pretrained: "" or false for random weights; "torchvision" or true for its best ones of ImageNet, or their name,
            such as ``IMAGENET1K_V1``; or the path of a file with torchvision's names, or of a run's checkpoint; or
            ``zoo://NAME``.
        options: further arguments of torchvision's constructor, such as ``{width_mult: 0.5}``.

    Attributes:
        out_channels: of the network's last map.
        output_fmt: of its stages' maps, "NCHW" or a Swin's "NHWC", as timm's networks say it.

    Raises:
        ConfigError: there is no such network, it is of a family that is not cut here, or does not take the options.
        WeightsError: ``pretrained`` names weights that do not exist, cannot be had, or do not fit.
    """

    def __init__(self, name: str, pretrained: str | bool = "", options: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        check(self, TEXT, name=name)
        check(self, either(FLAG, WEIGHTS), pretrained=pretrained)
        check(self, ARGUMENTS, options=options)
        self.name, self.output_fmt = name, "NHWC" if name.startswith("swin") else "NCHW"
        for child, module in _create(name, options or {}).named_children():
            if child in BEHIND_THE_MAP:
                break
            self.add_module(child, module)
        self.last = nn.ReLU() if name.startswith("densenet") else nn.Identity()  # which its forward pass has within
        self.out_channels = self._count_channels()
        if pretrained not in ("", None, False):
            load_pretrained(self, _source(name, pretrained), _without_classifier)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) float, normalised with ImageNet's mean and deviation -> (B, out_channels, h, w)."""
        for module in self.children():
            images = module(images)
        return images

    @torch.no_grad()
    def _count_channels(self) -> int:
        device = next(self.parameters()).device
        channels = self.eval()(torch.zeros(1, 3, 64, 64, device=device)).shape[1]
        self.train()
        return channels


def _create(name: str, options: Mapping[str, Any]) -> nn.Module:
    """Return torchvision's network ``name`` with random weights."""
    known = [n for n in torchvision.models.list_models(torchvision.models) if n.startswith(FAMILIES)]
    if name not in known:
        if name in torchvision.models.list_models():
            raise ConfigError(f"TorchvisionBackbone: {name} is not cut at its last map here; try TimmBackbone")
        raise ConfigError(f"TorchvisionBackbone: torchvision has no {name!r}.{did_you_mean(name, known)}")
    try:
        return torchvision.models.get_model(name, weights=None, **options)
    except MISFITS as error:
        given = ", ".join(f"{key}: {value!r}" for key, value in options.items()) or "its defaults"
        raise ConfigError(
            f"TorchvisionBackbone: {name} cannot be built with {given}: {type(error).__name__}: {error}"
        ) from error


def _source(name: str, pretrained: str | bool) -> str | tuple[str, str]:
    """Return the file's path or name, or the address and name of torchvision's file."""
    weights = torchvision.models.get_model_weights(name)
    if pretrained not in (True, "torchvision", *weights.__members__):
        return str(pretrained)
    if not len(weights):
        raise WeightsError(f"TorchvisionBackbone: torchvision has no weights for {name}; give pretrained: ''")
    url = weights[pretrained if pretrained in weights.__members__ else "DEFAULT"].url
    return url, url.rsplit("/", 1)[-1]


def _without_classifier(name: str) -> str | None:
    """Key map of torchvision's files: the same names, without what is behind the map."""
    return None if name.startswith(tuple(f"{part}." for part in BEHIND_THE_MAP)) else name
