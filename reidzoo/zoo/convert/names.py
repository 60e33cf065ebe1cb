"""Maps parameter names by prefix, and infers the network from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from reidzoo.backbones.resnet import LAYOUTS, Bottleneck
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped

__all__ = ["RESNET_REFUSED", "describe_resnet", "map_prefixes", "refuse", "sequential_resnet"]

RESNET_REFUSED = {
    r"(^|\.)se(_module)?\.": "squeeze-and-excitation blocks (SE)",
    r"(^|\.)conv1\.0\.": "a deep stem of several convolutions (ResNeSt, ResNet-D)",
    r"(^|\.)(features\.)?denseblock\d": "dense blocks (DenseNet)",
}
"""Patterns of names, and the feature behind them that no backbone here has."""


def map_prefixes(names: Iterable[str], table: Mapping[str, str | Dropped]) -> dict[str, str | Dropped]:
    """Rename by the longest prefix that fits.

    Args:
        names: names in the file.
        table: prefix -> the prefix in its place, or ``Dropped``.

    Returns:
        name -> new name or ``Dropped``; without the names to which no prefix fits.
    """
    renamed: dict[str, str | Dropped] = {}
    prefixes = sorted(table, key=len, reverse=True)
    for name in names:
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        if prefix is not None:
            new = table[prefix]
            renamed[name] = new if isinstance(new, Dropped) else new + name[len(prefix) :]
    return renamed


def sequential_resnet(first_layer: int) -> dict[str, str]:
    """Return the prefixes of a ResNet in one ``nn.Sequential`` called ``base``: conv1, bn1, ..., layers 1 to 4.

    Args:
        first_layer: place of layer 1: 4 behind ReLU and pooling, 3 behind pooling alone.
    """
    layers = {f"base.{first_layer + n}.": f"backbone.layer{n + 1}." for n in range(4)}
    return {"base.0.": "backbone.conv1.", "base.1.": "backbone.bn1.", **layers}


def refuse(names: Iterable[str], features: Mapping[str, str]) -> None:
    """Refuse a file whose names show a feature that our models lack.

    Args:
        names: names in the file.
        features: pattern (searched for in a name) -> what it is called.

    Raises:
        WeightsError: the feature, and a name that shows it.
    """
    for name in names:
        for pattern, feature in features.items():
            if re.search(pattern, name):
                raise WeightsError(
                    f"the file's model has {feature}, as its {name!r} says; no model of reidzoo has that, so it cannot "
                    f"be converted"
                )


def describe_resnet(names: Iterable[str | Dropped], last_stride: int) -> dict[str, Any]:
    """Return the node of the ``ResNet`` with these names, from which depth and IBN are read.

    Args:
        names: names in our model, as ``map_prefixes`` gives them.
        last_stride: the stride of the last layer, which names do not tell.

    Raises:
        WeightsError: no ResNet here has as many blocks.
    """
    ours = [name for name in names if isinstance(name, str)]
    counts, kinds = [], set()
    for number in range(1, 5):
        prefix = f"backbone.layer{number}."
        blocks = [name[len(prefix) :] for name in ours if name.startswith(prefix)]
        counts.append(len({name.partition(".")[0] for name in blocks}))
        kinds |= {name.partition(".")[2].partition(".")[0] for name in blocks}
    deep = "conv3" in kinds
    depth = next((d for d, (block, c) in LAYOUTS.items() if list(c) == counts and (block is Bottleneck) == deep), 0)
    if not depth:
        raise WeightsError(
            f"the file has {', '.join(map(str, counts))} blocks in its layers 1 to 4, as none of the ResNets here has "
            f"({', '.join(map(str, LAYOUTS))}). Is it of the family that --from names?"
        )
    ibn = "b" if "IN" in kinds else "a" if any(".bn1.IN." in name for name in ours) else "none"
    return {"type": "ResNet", "depth": depth, "ibn": ibn, "last_stride": last_stride}
