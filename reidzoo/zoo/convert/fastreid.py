"""The family of fastreid's checkpoints: BoT, AGW and SBS with ResNets and IBN-ResNets, from version 0.1 on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reidzoo.backbones.resnet import LAYOUTS
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse

__all__ = ["FASTREID"]

OLD_NECK, NECK, GEM = "heads.bnneck.", "heads.bottleneck.0.", "heads.pool_layer.p"
NAMES: dict[str, str | Dropped] = {
    "backbone.": "backbone.",
    OLD_NECK: "head.bn.",
    NECK: "head.bn.",
    GEM: "head.pooling.p",
    "heads.weight": Dropped("identity classifier"),
    "heads.classifier.": Dropped("identity classifier"),
    "pixel_mean": Dropped("mean and standard deviation, now in INPUT"),
    "pixel_std": Dropped("mean and standard deviation, now in INPUT"),
}
REFUSED = {
    **RESNET_REFUSED,
    r"^(b\d+_head|b\d+|backbone\.\d)\.": "branches of several granularities (MGN)",
    r"^backbone\.conv1\.conv\.": "fastreid's own OSNet",
    r"^backbone\.(blocks|cls_token|patch_embed|pos_embed)": "a vision transformer",
}


def _layout(state: Mapping[str, Tensor], options: Mapping[str, str]) -> Layout:
    refuse(state, REFUSED)
    reduced = state.get(NECK + "weight")
    if (reduced is not None and reduced.dim() > 1) or any(name.startswith("heads.bottleneck.1.") for name in state):
        raise WeightsError(
            "the file's model reduces the feature before the batch norm (their EMBEDDING_DIM); no head of reidzoo "
            "does, so it cannot be converted"
        )
    table = {**NAMES, **_non_local_names(state)}
    names = map_prefixes(state, table)
    backbone = describe_resnet(names.values(), last_stride=int(options.get("last_stride", "1")))
    counts = _non_local_counts(state)
    if any(counts):
        backbone["non_local"] = counts
    pool, added = _pooling(state, options.get("pool", "auto"))
    stem = options.get("stem", "auto")
    if stem == "auto":
        # The neck was renamed in September 2020 and the pooling changed in November 2020; what was trained in between
        # needs the option.
        stem = "padded" if any(name.startswith(OLD_NECK) for name in state) else "ceil"
    notes = [f"Its stem's max pooling is taken to be {stem} (option stem); the file does not say."]
    head = {"type": "BNNeck", "pooling": pool}
    return Layout(names, {**backbone, "stem_pool": stem}, head, added, _inputs(state), notes)


def _non_local_counts(state: Mapping[str, Tensor]) -> list[int]:
    """Return the number of non-local blocks of each layer."""
    blocks = [{name.split(".")[2] for name in state if name.startswith(f"backbone.NL_{n}.")} for n in range(1, 5)]
    return [len(numbers) for numbers in blocks]


def _non_local_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the prefixes of the non-local blocks, which stand behind the last blocks of a layer, in their order."""
    table = {}
    for layer, count in enumerate(_non_local_counts(state), 1):
        blocks = {name.split(".")[2] for name in state if name.startswith(f"backbone.layer{layer}.")}
        for n in range(count):
            table[f"backbone.NL_{layer}.{n}."] = f"backbone.layer{layer}.{len(blocks) - count + n}.non_local."
    return table


def _pooling(state: Mapping[str, Tensor], chosen: str) -> tuple[str, dict[str, Tensor]]:
    """Return the pooling, and its exponent where the file has none."""
    if GEM in state:
        if chosen not in ("auto", "gem"):
            raise WeightsError(f"the file pools by GeM ({GEM}), not by {chosen!r}; leave the option pool out")
        return "gem", {}
    if chosen == "auto":
        raise WeightsError(
            "the file does not say how its model pools; give the option pool: avg for BoT on persons, gem for AGW and "
            "for BoT on vehicles (MODEL.HEADS.POOL_LAYER in its configuration)"
        )
    return chosen, {"head.pooling.p": torch.tensor([3.0])} if chosen == "gem" else {}


def _inputs(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return mean and standard deviation in [0, 1], where the file has them in [0, 255]."""
    tensors = {key: state.get(name) for key, name in (("MEAN", "pixel_mean"), ("STD", "pixel_std"))}
    for key, value in tensors.items():
        if value is not None and value.numel() != 3:
            raise WeightsError(f"the file's pixel_{key.lower()} has {value.numel()} numbers in place of 3")
    return {
        key: [round(float(v) / 255, 6) for v in value.flatten()] for key, value in tensors.items() if value is not None
    }


FASTREID = Family(
    name="fastreid",
    title=f"fastreid: BoT, AGW and SBS with ResNet-{'/'.join(map(str, LAYOUTS))}, also IBN-a",
    repository="https://github.com/JDAI-CV/fast-reid",
    licence="Apache-2.0",
    layout=_layout,
    size=None,
    sizes="256x128 for BoT and AGW, 384x128 for SBS, 256x256 for vehicles (INPUT.SIZE_TEST in its configuration)",
    options={
        "pool": ("auto", "avg", "gem", "max"),
        "stem": ("auto", "padded", "ceil"),
        "last_stride": ("1", "2"),
    },
)
