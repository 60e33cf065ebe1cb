"""The family of CLIP-ReID's checkpoints, of which the image side is taken: ViT-B/16, with SIE and OLP or without."""

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
from reidzoo.zoo.convert.vit import SIDES, count_blocks, describe_side_information, find_stride

__all__ = ["CLIP_REID"]

NETWORK, WIDTH, DEPTH, OUTPUT = "vit_base_patch16_clip_quickgelu_224", 768, 12, 512
ENCODER = "image_encoder."
BLOCKS = f"{ENCODER}transformer.resblocks."
RESHAPED = Dropped("image side, in another shape")
TEXT = Dropped("text side")
NAMES: dict[str, str | Dropped] = {
    f"{ENCODER}conv1.": "backbone.net.patch_embed.proj.",
    f"{ENCODER}class_embedding": RESHAPED,
    f"{ENCODER}positional_embedding": RESHAPED,
    f"{ENCODER}proj": RESHAPED,
    f"{ENCODER}ln_pre.": "backbone.net.norm_pre.",
    f"{ENCODER}ln_post.": "backbone.net.norm.",
    "cv_embed": "backbone.net.pos_drop.embedding",
    "classifier.": Dropped("identity classifier"),
    "classifier_proj.": Dropped("identity classifier"),
    "prompt_learner.": TEXT,
    "text_encoder.": TEXT,
}
IN_A_BLOCK = {
    "ln_1.": "norm1.",
    "ln_2.": "norm2.",
    "attn.in_proj_": "attn.qkv.",
    "attn.out_proj.": "attn.proj.",
    "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
}
REFUSED = {r"^image_encoder\.layer\d\.": "CLIP's ResNet-50 with attention pooling"}


def _layout(state: Mapping[str, Tensor], options: Mapping[str, str]) -> Layout:
    refuse(state, REFUSED)
    tensors = [state.get(f"{ENCODER}{name}") for name in ("positional_embedding", "class_embedding", "proj")]
    if any(tensor is None for tensor in tensors):
        raise WeightsError("the file has no image_encoder of CLIP-ReID; is it of the family that --from names?")
    positions, token, projection = (tensor for tensor in tensors if tensor is not None)
    if positions.dim() != 2 or token.dim() != 1 or projection.dim() != 2:
        raise WeightsError(
            f"the file's image_encoder has positional_embedding, class_embedding and proj of the shapes "
            f"{[list(tensor.shape) for tensor in (positions, token, projection)]}, as no ViT of CLIP has"
        )
    depth = count_blocks(state, BLOCKS)
    backbone: dict[str, Any] = {
        "type": "TimmBackbone",
        "name": NETWORK,
        "size": [int(n) for n in options["size"].split("x")],
        "stride": find_stride(len(positions) - 1, options["size"], 16),
        "output": "token_and_projection",
    }
    if changed := _changed(depth, *projection.shape):
        backbone["options"] = changed
    if "cv_embed" in state:
        backbone["sie"] = describe_side_information(len(state["cv_embed"]), options, "class")
    table = dict(NAMES)
    for block in range(depth):
        table |= {f"{BLOCKS}{block}.{a}": f"backbone.net.blocks.{block}.{b}" for a, b in IN_A_BLOCK.items()}
    added = {
        "backbone.net.cls_token": token[None, None],
        "backbone.net.pos_embed": positions[None],
        "backbone.net.head.weight": projection.t().contiguous(),
        "backbone.net.head.bias": torch.zeros(projection.shape[1]),
    }
    neck = options.get("neck", "before")
    if neck == "after":
        necks = [(f"bottleneck{part}.{name}", name) for name in NORM for part in ("", "_proj")]
        added |= _joined(state, necks)
    table |= dict.fromkeys(("bottleneck.", "bottleneck_proj."), Dropped(f"batch norm, {neck} which is compared"))
    head = {"type": "BNNeck"} if neck == "after" else {"type": "LinearHead"}
    return Layout(map_prefixes(state, table), backbone, head, added, {"MEAN": [0.5] * 3, "STD": [0.5] * 3})


NORM = ("weight", "bias", "running_mean", "running_var")


def _joined(state: Mapping[str, Tensor], names: list[tuple[str, str]]) -> dict[str, Tensor]:
    """Return the tensors of one batch norm for two that stand side by side."""
    if missing := [name for name, _ in names if name not in state]:
        raise WeightsError(f"the file has no {', '.join(missing)}, which neck=after takes")
    return {
        f"head.bn.{kind}": torch.cat([state[name] for name, own in names if own == kind])
        for kind in dict.fromkeys(own for _, own in names)
    }


def _changed(depth: int, width: int, outputs: int) -> dict[str, int]:
    """Return what a ViT-B/16 is not, as options of timm's."""
    found = {"depth": depth, "embed_dim": width, "num_heads": width // 64, "num_classes": outputs}
    usual = {"depth": DEPTH, "embed_dim": WIDTH, "num_heads": WIDTH // 64, "num_classes": OUTPUT}
    return {key: value for key, value in found.items() if value != usual[key]}


CLIP_REID = Family(
    name="clip_reid",
    title="CLIP-ReID of its authors (AAAI 2023), image side: ViT-B/16, with SIE and OLP or without",
    repository="https://github.com/Syliz517/CLIP-ReID",
    licence="MIT",
    layout=_layout,
    size=(256, 128),
    interpolation="bilinear",
    options={"neck": ("before", "after"), **SIDES},
)
