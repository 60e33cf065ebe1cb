"""The family of torchvision's ImageNet weights."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.ibn_net import IMAGENET_NOTE, imagenet_resnet
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import map_prefixes

__all__ = ["TORCHVISION"]

VGG_NAMES: dict[str, str | Dropped] = {"features.": "backbone.features.", "classifier.": Dropped("ImageNet classifier")}


def _torchvision(state: Mapping[str, Tensor], _options: Mapping[str, str]) -> Layout:
    if any(name.startswith("features.0.") for name in state):
        has_norm = any(name.endswith(".running_mean") for name in state)
        backbone = {"type": "VGG", "net": "vgg_16", "batch_norm": has_norm}
        return Layout(map_prefixes(state, VGG_NAMES), backbone, {"type": "LinearHead"}, notes=[IMAGENET_NOTE])
    layout = imagenet_resnet(state)
    if layout.backbone["ibn"] != "none":
        raise WeightsError("the file has instance norm, so it is not torchvision's; is it IBN-Net's (ibn_net)?")
    return layout


TORCHVISION = Family(
    name="torchvision",
    title="torchvision's ImageNet weights: ResNet-18 to 101, VGG-16",
    repository="https://github.com/pytorch/vision",
    licence="BSD-3-Clause",
    layout=_torchvision,
    size=(224, 224),
    interpolation="bilinear",
)
