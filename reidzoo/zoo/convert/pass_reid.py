"""The family of PASS's fine-tuned checkpoints: a ViT with three part tokens beside the class token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import map_prefixes, refuse
from reidzoo.zoo.convert.transreid import DEPTH, INPUTS, NETWORKS, PATCH
from reidzoo.zoo.convert.vit import count_blocks, find_stride

__all__ = ["PASS"]

PARTS = ("1", "2", "3")
TOKENS = [f"base.part_token{part}" for part in PARTS]
POSITIONS = ["base.cls_pos", *(f"base.part{part}_pos" for part in PARTS), "base.pos_embed"]
REFUSED = {
    r"^base\.patch_embed\.conv\.": "a convolutional stem (STEM_CONV)",
    r"^base\.sie_embed": "side information, which the authors' code cannot add to part tokens",
    r"^(teacher|student)\.": "the two networks of the pre-training; only fine-tuned ones are converted",
}


def _layout(state: Mapping[str, Tensor], options: Mapping[str, str]) -> Layout:
    refuse(state, REFUSED)
    if missing := [name for name in (*TOKENS, *POSITIONS) if name not in state]:
        raise WeightsError(f"the file has no {', '.join(missing)}; is it of the family that --from names?")
    positions = state["base.pos_embed"]
    if positions.dim() != 3 or positions.shape[2] not in NETWORKS:
        raise WeightsError(f"the file's base.pos_embed is {list(positions.shape)}, as no ViT of PASS has")
    depth, width = count_blocks(state, "base.blocks."), positions.shape[2]
    fusion, after = _fusion(state, options, width), options.get("neck", "before") == "after"
    if after and "bottleneck_1.weight" in state:
        raise WeightsError(
            "the file has a batch norm for each token (MULTI_NECK), which no head here has; leave neck out"
        )
    backbone: dict[str, Any] = {
        "type": "TimmBackbone",
        "name": NETWORKS[width],
        "size": [int(n) for n in options["size"].split("x")],
        "stride": find_stride(positions.shape[1], options["size"], PATCH),
        "output": "token_and_registers" if fusion == "cat" else "token_over_registers",
        "options": {"reg_tokens": len(PARTS), **({"depth": depth} if depth != DEPTH else {})},
    }
    neck: str | Dropped = "head.bn." if after else Dropped("batch norm behind the feature that is compared")
    table: dict[str, str | Dropped] = {
        "base.": "backbone.net.",
        "base.fc.": Dropped("ImageNet classifier"),
        "base.gem.": Dropped("pooling that is not used"),
        "classifier.": Dropped("identity classifier"),
        "bottleneck.": neck,
        **dict.fromkeys((f"bottleneck_{part}." for part in PARTS), neck),
        **dict.fromkeys((*TOKENS, *POSITIONS), Dropped("tokens and positions, joined")),
    }
    added = {
        "backbone.net.reg_token": torch.cat([state[name] for name in TOKENS], dim=1),
        "backbone.net.pos_embed": torch.cat([state[name] for name in POSITIONS], dim=1),
    }
    return Layout(map_prefixes(state, table), backbone, {"type": "BNNeck" if after else "LinearHead"}, added, INPUTS)


def _fusion(state: Mapping[str, Tensor], options: Mapping[str, str], width: int) -> str:
    """Return how tokens are joined: as the option says, or the width of the only neck."""
    if (chosen := options.get("fusion", "auto")) != "auto":
        return chosen
    neck = state.get("bottleneck.weight")
    if neck is None or "bottleneck_1.weight" in state:
        raise WeightsError(
            "the file does not say how its tokens are joined; give the option fusion: cat or mean (MODEL.FEAT_FUSION "
            "in its configuration)"
        )
    return "cat" if len(neck) == 2 * width else "mean"


PASS = Family(
    name="pass",
    title="PASS of its authors (ECCV 2022), fine-tuned: ViT-S/16 and ViT-B/16 with part tokens",
    repository="https://github.com/CASIA-IVA-Lab/PASS-reID",
    licence="none found in the repository",
    layout=_layout,
    size=(256, 128),
    interpolation="bilinear",
    options={"neck": ("before", "after"), "fusion": ("auto", "cat", "mean")},
)
