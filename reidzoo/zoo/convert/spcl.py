"""The family of checkpoints of SpCL's authors: domain adaptation (a batch norm per domain) and unsupervised (one)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.domainmix import EMBEDDING_LAYER
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse, sequential_resnet

__all__ = ["SPCL"]

NAMES: dict[str, str | Dropped] = {
    **sequential_resnet(4),
    "feat_bn.": "head.bn.",
    "classifier.": Dropped("identity classifier"),
}
NORMS = {"target": ".BN_T.", "source": ".BN_S."}


def _layout(state: Mapping[str, Tensor], options: Mapping[str, str]) -> Layout:
    refuse(state, {**RESNET_REFUSED, **EMBEDDING_LAYER})
    names = map_prefixes(state, NAMES)
    by_domain = any(norm in name for name in state for norm in NORMS.values())
    if "bn" in options and not by_domain:
        raise WeightsError("the file has one batch norm for all domains, so there is no choice of bn; leave it out")
    domain = options.get("bn", "target")
    for other, norm in NORMS.items():
        for name, new in names.items():
            if isinstance(new, str) and norm in new:
                names[name] = new.replace(norm, ".") if other == domain else Dropped(f"batch norm of the {other}")
    notes = [f"It normalises as images of the {domain} domain are normalised."] if by_domain else []
    head = {"type": "BNNeck", "bias_frozen": not by_domain}
    return Layout(names, describe_resnet(names.values(), last_stride=1), head, notes=notes)


SPCL = Family(
    name="spcl",
    title="SpCL of its authors (NeurIPS 2020): ResNet-50, IBN-ResNet-50, with or without domain-specific batch norm",
    repository="https://github.com/yxgeee/SpCL",
    licence="MIT",
    layout=_layout,
    size=None,
    sizes="256x128 for persons, 224x224 for vehicles",
    options={"bn": ("target", "source")},
)
