"""The patch embedding of a vision transformer whose patches overlap."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = ["OverlappingPatches"]


class OverlappingPatches(nn.Module):
    """A patch embedding with a stride below the patch's side (He et al., "TransReID", ICCV 2021, Sec. 3.1, Eq. 2).

    Of an image of H x W it makes ``((H - P) // S + 1) x ((W - P) // S + 1)`` tokens, for patches of P x P pixels at
    every S-th one: as in the paper what is left over at the right and at the bottom is in no patch. It takes the place
    of timm's ``PatchEmbed``, with its weights under its names.

    Args:
        patches: timm's patch embedding.
        stride: S in pixels.

    Attributes:
        patch_size: P, twice.
        grid_size: rows and columns that the position embeddings were made for.
    """

    def __init__(self, patches: Any, stride: int) -> None:
        super().__init__()
        self.proj, self.norm = patches.proj, patches.norm
        self.proj.stride = (stride, stride)
        self.stride = stride
        self.patch_size, self.grid_size = tuple(patches.patch_size), tuple(patches.grid_size)

    def dynamic_feat_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return rows and columns of tokens for images of ``size``, (height, width)."""
        rows, columns = (max(n - p, 0) // self.stride + 1 for n, p in zip(size, self.patch_size))
        return rows, columns

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) -> (B, rows, columns, C); an image that is smaller than a patch is filled up with zeros."""
        (height, width), (high, wide) = images.shape[2:], self.patch_size
        images = functional.pad(images, (0, max(wide - width, 0), 0, max(high - height, 0)))
        return self.norm(self.proj(images).permute(0, 2, 3, 1))
