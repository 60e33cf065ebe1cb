"""The family of checkpoints of ECN's authors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse

__all__ = ["ECN"]

# They retrieve by pool5, before the layer that the losses take; so that layer is not part of an embedding model.
NAMES: dict[str, str | Dropped] = {
    "base.": "backbone.",
    "base.fc.": Dropped("ImageNet classifier"),
    "feat.": Dropped("the losses' layer FC-4096"),
    "feat_bn.": Dropped("the losses' layer FC-4096"),
    "classifier.": Dropped("identity classifier"),
}


def _layout(state: Mapping[str, Tensor], _options: Mapping[str, str]) -> Layout:
    refuse(state, RESNET_REFUSED)
    names = map_prefixes(state, NAMES)
    return Layout(names, describe_resnet(names.values(), last_stride=2), {"type": "LinearHead"})


ECN = Family(
    name="ecn",
    title="ECN of its authors (CVPR 2019): ResNet-50, the pool5 that they retrieve by",
    repository="https://github.com/zhunzhong07/ECN",
    licence="Apache-2.0",
    layout=_layout,
    size=(256, 128),
    test={"AP": "trapezoid"},
)
