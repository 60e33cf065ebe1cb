"""The family of SOLIDER-REID's checkpoints: Swin-T, -S and -B with the semantic controller, fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from reidzoo.backbones.solider_layout import rename_solider, reorder_merging
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import map_prefixes, refuse
from reidzoo.zoo.convert.vit import count_blocks

__all__ = ["SOLIDER"]

USUAL = {
    "swin_tiny_patch4_window7_224": {"embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]},
    "swin_small_patch4_window7_224": {"embed_dim": 96, "depths": [2, 2, 18, 2], "num_heads": [3, 6, 12, 24]},
    "swin_base_patch4_window7_224": {"embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]},
}
"""The authors' networks, by timm's names; a window has 7 x 7 patches in all of them."""
STAGES = 4
TABLE = "attn.w_msa.relative_position_bias_table"
REFUSED = {
    r"^base\.(layer\d|conv1)\.": "a ResNet in the place of the transformer",
    r"^base\.absolute_pos_embed$": "position embeddings (use_abs_pos_embed)",
    r"^fcneck\.": "a linear layer in front of the neck (REDUCE_FEAT_DIM)",
}


def _layout(state: Mapping[str, Tensor], options: Mapping[str, str]) -> Layout:
    refuse(state, REFUSED)
    if any(name.startswith("backbone.stages.") for name in state):
        raise WeightsError(
            "the file is of SOLIDER's pre-training, and only fine-tuned models are converted; to start a training with "
            "it, name it in BACKBONE: {type: SemanticSwin, name: swin_tiny_patch4_window7_224, pretrained: FILE}"
        )
    controlled = any(name.startswith("base.semantic_embed_") for name in state)
    backbone: dict[str, Any] = {
        "type": "SemanticSwin",
        **_network(state),
        "semantic_weight": float(options.get("semantic_weight", "0.2")) if controlled else None,
    }
    after = options.get("neck", "before") == "after"
    neck: str | Dropped = "head.bn." if after else Dropped("batch norm behind the feature that is compared")
    names = map_prefixes(state, {"classifier.": Dropped("identity classifier"), "bottleneck.": neck})
    added = {}
    for name, tensor in state.items():
        if not name.startswith("base."):
            continue
        new = rename_solider(name.removeprefix("base."), controlled)
        if new is None:
            names[name] = Dropped("norms, controller and indexes that embedding does not need")
        elif ".downsample." in name:
            names[name] = Dropped("patch merging, in another order")
            added[f"backbone.net.{new}"] = reorder_merging(tensor)
        else:
            names[name] = f"backbone.net.{new}"
    return Layout(names, backbone, {"type": "BNNeck" if after else "LinearHead"}, added, INPUTS)


def _network(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return timm's name of the network, and what it is not, as options of timm's."""
    tables = [state.get(f"base.stages.{stage}.blocks.0.{TABLE}") for stage in range(STAGES)]
    stem = state.get("base.patch_embed.projection.weight")
    if stem is None or stem.dim() != 4 or any(table is None or table.dim() != 2 for table in tables):
        raise WeightsError("the file has no base of SOLIDER's Swin; is it of the family that --from names?")
    found = {
        "embed_dim": len(stem),
        "depths": [count_blocks(state, f"base.stages.{stage}.blocks.") for stage in range(STAGES)],
        "num_heads": [table.shape[1] for table in tables if table is not None],
    }
    name = next((name for name, usual in USUAL.items() if usual == found), "")
    return {"name": name} if name else {"name": next(iter(USUAL)), "options": found}


INPUTS = {"MEAN": [0.5, 0.5, 0.5], "STD": [0.5, 0.5, 0.5]}
SOLIDER = Family(
    name="solider",
    title="SOLIDER-REID of its authors (CVPR 2023), fine-tuned: Swin-T, Swin-S and Swin-B",
    repository="https://github.com/tinyvision/SOLIDER-REID",
    licence="not stated for the weights (the code is MIT, that of the pre-training Apache-2.0)",
    layout=_layout,
    size=(384, 128),
    interpolation="bilinear",
    options={
        "neck": ("before", "after"),
        "semantic_weight": ("0.2", "0.0", "0.1", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"),
    },
)
