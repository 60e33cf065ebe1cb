"""The family of TransReID's checkpoints: ViT and DeiT, with overlapping patches, SIE and JPM or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import map_prefixes, refuse
from reidzoo.zoo.convert.vit import SIDES, count_blocks, describe_side_information, find_stride

__all__ = ["TRANSREID"]

NETWORKS = {768: "vit_base_patch16_224", 384: "vit_small_patch16_224", 192: "vit_tiny_patch16_224"}
"""Width -> timm's name of the same layers; DeiT's are those of a ViT."""
PATCH, DEPTH = 16, 12
SIDE = "base.sie_embed"
REFUSED = {
    r"^base\.(layer\d|conv1)\.": "a ResNet in the place of the transformer",
    r"^base\.part_token": "part tokens (PASS)",
    r"^base\.patch_embed\.(conv|stem)": "a convolutional stem",
}
CLASSIFIERS: dict[str, str | Dropped] = {
    "classifier": Dropped("identity classifier"),
    "base.fc.": Dropped("ImageNet classifier"),
    SIDE: Dropped("side information, in another shape"),
}


def _layout(state: Mapping[str, Tensor], options: Mapping[str, str]) -> Layout:
    refuse(state, REFUSED)
    positions = state.get("base.pos_embed")
    if positions is None or positions.dim() != 3 or positions.shape[2] not in NETWORKS:
        raise WeightsError(
            "the file has no base.pos_embed of a ViT of TransReID; is it of the family that --from names?"
        )
    depth = count_blocks(state, "base.blocks.")
    if depth and "base.blocks.0.attn.qkv.bias" not in state:
        raise WeightsError(
            "the file's model is TransReID's vit_small, of 8 blocks whose attention is scaled in a way of its own; no "
            "backbone of reidzoo has that, so it cannot be converted"
        )
    backbone: dict[str, Any] = {
        "name": NETWORKS[positions.shape[2]],
        "size": [int(n) for n in options["size"].split("x")],
        "stride": find_stride(positions.shape[1] - 1, options["size"], PATCH),
    }
    added = {}
    if SIDE in state:
        added["backbone.net.pos_drop.embedding"] = state[SIDE].flatten(1)
        backbone["sie"] = describe_side_information(len(state[SIDE]), options, "all")
    if depth != DEPTH:
        backbone["options"] = {"depth": depth}
    if any(name.startswith("b1.") for name in state):
        return _with_jigsaw(state, options, backbone, depth, added)
    after = options.get("neck", "before") == "after"
    neck: str | Dropped = "head.bn." if after else Dropped("batch norm behind the feature that is compared")
    names = map_prefixes(state, {**CLASSIFIERS, "base.": "backbone.net.", "bottleneck.": neck})
    backbone = {"type": "TimmBackbone", **backbone, "output": "token"}
    return Layout(names, backbone, {"type": "BNNeck"} if after else {"type": "LinearHead"}, added, INPUTS)


def _with_jigsaw(
    state: Mapping[str, Tensor],
    options: Mapping[str, str],
    backbone: dict[str, Any],
    depth: int,
    added: Mapping[str, Tensor],
) -> Layout:
    """Return the layout of a file with JPM; ``b1`` is the last block and norm of the global branch."""
    last = f"blocks.{depth - 1}."
    table: dict[str, str | Dropped] = {
        **CLASSIFIERS,
        "base.": "backbone.net.",
        f"base.{last}": Dropped("last block, which the branches have of their own"),
        "base.norm.": Dropped("last norm, which the branches have of their own"),
        "b1.0.": f"backbone.net.{last}",
        "b1.1.": "backbone.net.norm.",
        "b2.": "backbone.jigsaw.",
        "bottleneck.": "head.bns.0.",
    }
    parts = sum(name.startswith("bottleneck_") and name.endswith(".running_mean") for name in state)
    table |= {f"bottleneck_{part}.": f"head.bns.{part}." for part in range(1, parts + 1)}
    backbone = {"type": "JigsawViT", **backbone, "parts": max(parts, 1)}
    if options.get("rearrange", "yes") == "no":
        backbone |= {"shift": 1, "groups": 1}
    head = {"type": "JigsawHead", "parts": max(parts, 1), "embedding": options.get("neck", "before")}
    return Layout(
        map_prefixes(state, table), backbone, head, added, INPUTS, ["Shift and groups are taken to be 5 and 2."]
    )


INPUTS = {"MEAN": [0.5, 0.5, 0.5], "STD": [0.5, 0.5, 0.5]}
TRANSREID = Family(
    name="transreid",
    title="TransReID of its authors (ICCV 2021): ViT-B/16 and DeiT-S/B, with stride, SIE and JPM or without",
    repository="https://github.com/damo-cv/TransReID",
    licence="MIT",
    layout=_layout,
    size=(256, 128),
    interpolation="bilinear",
    options={"neck": ("before", "after"), "rearrange": ("yes", "no"), **SIDES},
)
