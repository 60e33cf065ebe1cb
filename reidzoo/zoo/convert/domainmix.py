"""The family of checkpoints of DomainMix's authors: ResNet-50 and IBN-ResNet-50."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse, sequential_resnet

__all__ = ["DOMAINMIX", "EMBEDDING_LAYER"]

# Their ResNet has ReLU behind the pooling and their IBN-ResNet before it: at the same places, and the same function.
NAMES: dict[str, str | Dropped] = {
    **sequential_resnet(4),
    "feat_bn.": "head.bn.",
    "classifier.": Dropped("identity classifier"),
    "classifier_D.": Dropped("domain discriminator"),
}
EMBEDDING_LAYER = {r"^feat\.": "a fully connected layer between pooling and batch norm (their --features)"}
REAL_IMAGES = {8000 + 32621: "MSMT17", 8000 + 12936: "Market-1501", 8000 + 7365: "CUHK03-NP"}
"""Rows of the classifier, one for each of RandPerson's 8000 identities and each image of the real set."""


def _layout(state: Mapping[str, Tensor], _options: Mapping[str, str]) -> Layout:
    refuse(state, {**RESNET_REFUSED, **EMBEDDING_LAYER})
    names = map_prefixes(state, NAMES)
    rows = len(state["classifier.weight"]) if "classifier.weight" in state else 0
    real = REAL_IMAGES.get(rows)
    notes = [f"Its classifier's {rows} rows say that it was trained on RandPerson and {real}."] if real else []
    return Layout(names, describe_resnet(names.values(), last_stride=1), {"type": "BNNeck"}, notes=notes)


DOMAINMIX = Family(
    name="domainmix",
    title="DomainMix of its authors (BMVC 2021): ResNet-50, IBN-ResNet-50",
    repository="https://github.com/WangWenhao0716/DomainMix",
    licence="MIT",
    layout=_layout,
    size=(256, 128),
)
