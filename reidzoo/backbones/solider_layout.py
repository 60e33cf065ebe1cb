"""Brings the weights of SOLIDER's Swin transformers into timm's layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from torch import Tensor

__all__ = ["from_solider", "is_solider", "rename_solider", "reorder_merging"]

_UNUSED = re.compile(r"norm[012]\.|semantic_embed_[wb]\.3\.|.*\.relative_position_index$")
"""Norms and the controller of maps that no re-identification uses, and what follows from the window's side."""
_CONTROLLER = {"w": "scale", "b": "shift"}
_RULES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"patch_embed\.projection\.", lambda m: "patch_embed.proj."),
    (r"stages\.(\d)\.downsample\.", lambda m: f"layers.{int(m[1]) + 1}.downsample."),
    (r"stages\.(\d\.blocks\.\d+\.attn\.)w_msa\.", lambda m: f"layers.{m[1]}"),
    (r"stages\.(\d\.blocks\.\d+\.)ffn\.layers\.0\.0\.", lambda m: f"layers.{m[1]}mlp.fc1."),
    (r"stages\.(\d\.blocks\.\d+\.)ffn\.layers\.1\.", lambda m: f"layers.{m[1]}mlp.fc2."),
    (r"stages\.(\d\.blocks\.\d+\.norm)", lambda m: f"layers.{m[1]}"),
    (r"semantic_embed_([wb])\.([012])\.", lambda m: f"layers.{int(m[2]) + 1}.downsample.{_CONTROLLER[m[1]]}_"),
    (r"norm3\.", lambda m: "norm."),
)


def is_solider(state: Mapping[str, Tensor]) -> bool:
    """Return whether names are those of SOLIDER's Swin."""
    return any(name.startswith("stages.") for name in state)


def rename_solider(name: str, controlled: bool) -> str | None:
    """Return the name in timm's layout, None for what is not used, a name that is not SOLIDER's as it is.

    Args:
        name: such as ``stages.0.blocks.1.attn.w_msa.qkv.weight``.
        controlled: whether there is a semantic controller, within which the merging has a name of its own.
    """
    if _UNUSED.match(name):
        return None
    for pattern, rename in _RULES:
        if match := re.match(pattern, name):
            inside = "merging." if controlled and ".downsample." in name else ""
            return rename(match) + inside + name[match.end() :]
    return name


def reorder_merging(tensor: Tensor) -> Tensor:
    """Return the weights of a patch merging, (..., 4 C), for timm's order of what is merged.

    SOLIDER has channel, row, column, as ``nn.Unfold`` gives them; timm column, row, channel. A tensor of another shape
    stays as it is: what loads it says that it does not fit.
    """
    if not tensor.dim() or tensor.shape[-1] % 4:
        return tensor
    return tensor.unflatten(-1, (-1, 2, 2)).transpose(-3, -1).flatten(-3)


def from_solider(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of one of SOLIDER's Swins under timm's names, in timm's order."""
    controlled = any(name.startswith("semantic_embed_") for name in state)
    renamed = {}
    for name, tensor in state.items():
        new = rename_solider(name, controlled)
        if new is not None:
            renamed[new] = reorder_merging(tensor) if ".downsample." in name else tensor
    return renamed
