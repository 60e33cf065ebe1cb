"""The family of checkpoints of ADIN's authors: the ResNet-50 baseline and the dual-branch network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse

__all__ = ["ADIN"]

NAMES: dict[str, str | Dropped] = {
    "model.": "backbone.",
    "model.fc.": Dropped("ImageNet classifier"),
    "classifier.": Dropped("identity or nuisance classifier"),
    "classifier_pos.": Dropped("identity classifier"),
    "classifier_neg.": Dropped("nuisance classifier"),
}
DUAL_NAMES: dict[str, str | Dropped] = {
    **NAMES,
    "model.global_fc.": "head.global_fc.",
    "model.reduction.": "head.reduction.",
    "model.fc0.": "head.local_fc.0.",
    "model.fc1.": "head.local_fc.1.",
}


def _layout(state: Mapping[str, Tensor], _options: Mapping[str, str]) -> Layout:
    refuse(state, RESNET_REFUSED)
    if any(name.startswith("model.layer4_global.") for name in state):
        names = map_prefixes(state, DUAL_NAMES)
        backbone = {**describe_resnet(names.values(), last_stride=1), "type": "DualBranchResNet"}
        reduction = "conv" if any(name.startswith("model.reduction.") for name in state) else "linear"
        return Layout(names, backbone, {"type": "DualBranchHead", "width": 1024, "reduction": reduction})
    names = map_prefixes(state, NAMES)
    backbone = describe_resnet(names.values(), last_stride=2)
    pooled = 2048 if backbone["depth"] >= 50 else 512
    # "resnet50mid" has the very names of the baseline; only its classifier shows that the feature is longer.
    for name, tensor in state.items():
        if name.endswith("add_block.0.weight") and tensor.dim() == 2 and tensor.shape[1] > pooled:
            raise WeightsError(
                f"the file's model classifies {tensor.shape[1]} features ({name}), layer 3 and 4 side by side (their "
                f"resnet50mid); no model of reidzoo has that, so it cannot be converted"
            )
    return Layout(names, backbone, {"type": "MLPHead", "width": 512, "dropout": 0.5, "slope": 0.1})


ADIN = Family(
    name="adin",
    title="ADIN of its authors (WACV 2020): the ResNet-50 baseline, and both dual-branch networks",
    repository="https://github.com/TAMU-VITA/ADIN",
    licence="none stated",
    layout=_layout,
    size=(384, 128),
    test={"FLIP": True, "AP": "trapezoid"},
)
