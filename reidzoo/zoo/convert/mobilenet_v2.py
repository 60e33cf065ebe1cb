"""The family of MobileNetV2's first public PyTorch implementation."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.ibn_net import IMAGENET_NOTE
from reidzoo.zoo.convert.layout import Layout

__all__ = ["MOBILENET_V2"]

FIRST_BLOCK = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
"""Position in the one block that does not expand -> torchvision's name: depthwise, its norm, linear, its norm."""
OTHER_BLOCKS = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}
"""The same of the others, which expand first. The positions that are missing are the ReLU6s, without parameters."""
_BLOCK = re.compile(r"features\.(\d+)\.conv\.(\d)\.(\w+)")


def _name(name: str) -> str | Dropped:
    """Return our name of a parameter: the layers are in torchvision's order, which puts each ReLU6 into a group."""
    if name.startswith("classifier."):
        return Dropped("ImageNet classifier")
    match = _BLOCK.fullmatch(name)
    if match is None:
        return f"backbone.{name}"
    place = (FIRST_BLOCK if match[1] == "1" else OTHER_BLOCKS).get(match[2], match[2])
    return f"backbone.features.{match[1]}.conv.{place}.{match[3]}"


def _layout(state: Mapping[str, Tensor], _options: Mapping[str, str]) -> Layout:
    backbone = {"type": "MobileNetV2", "last_stride": 2}
    return Layout({name: _name(name) for name in state}, backbone, {"type": "LinearHead"}, notes=[IMAGENET_NOTE])


MOBILENET_V2 = Family(
    name="mobilenet_v2",
    title="MobileNetV2 of its first public PyTorch implementation",
    repository="https://github.com/tonylins/pytorch-mobilenet-v2",
    licence="Apache-2.0",
    layout=_layout,
    size=(224, 224),
    interpolation="bilinear",
)
