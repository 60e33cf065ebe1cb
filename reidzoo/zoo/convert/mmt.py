"""The family of checkpoints of Mutual Mean-Teaching's authors, and of its source-domain pre-training."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.domainmix import EMBEDDING_LAYER
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse, sequential_resnet

__all__ = ["MMT"]


def _layout(state: Mapping[str, Tensor], _options: Mapping[str, str]) -> Layout:
    refuse(state, {**RESNET_REFUSED, **EMBEDDING_LAYER})
    # Without ReLU in the stem everything behind it stands one place further ahead.
    has_relu = any(name.startswith("base.7.") for name in state)
    head: dict[str, str | Dropped] = {"feat_bn.": "head.bn.", "classifier.": Dropped("identity classifier")}
    names = map_prefixes(state, {**sequential_resnet(4 if has_relu else 3), **head})
    backbone = describe_resnet(names.values(), last_stride=1)
    if has_relu and backbone["ibn"] == "none":
        raise WeightsError(
            "MMT's ResNets without IBN have no ReLU in the stem and their layers at base.3 to base.6; this file has "
            "layers at base.4 to base.7, as SpCL's and DomainMix's have. Is it one of theirs?"
        )
    notes = (
        [] if has_relu else ["Its stem has no ReLU (BACKBONE.stem_relu: false), as the authors' ResNet-50 has none."]
    )
    return Layout(names, {**backbone, "stem_relu": has_relu}, {"type": "BNNeck"}, notes=notes)


MMT = Family(
    name="mmt",
    title="MMT of its authors (ICLR 2020) and its pre-training: ResNet-50, IBN-ResNet-50",
    repository="https://github.com/yxgeee/MMT",
    licence="MIT",
    layout=_layout,
    size=(256, 128),
)
