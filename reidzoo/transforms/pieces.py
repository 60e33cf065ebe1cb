"""Pieces of a batch's images, each from a place of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.transforms.to_device import to_device

__all__ = ["cut_pieces", "gather_pieces"]


def cut_pieces(images: Tensor, corners: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Return a piece of each image, (B, C, h, w); what lies outside of an image is zero.

    Args:
        images: (B, C, H, W) of any dtype, on any device.
        corners: integers (B, 2), the piece's top and left in its image's pixels; they may be negative.
        size: h and w.
    """
    if images.device.type != "cpu" or images.dtype == torch.bfloat16:  # which numpy does not have
        return gather_pieces(images, corners, size)
    # On a CPU rows of pixels are copied several times faster than pixels are gathered.
    source, corners = images.detach().numpy(), corners.astype(np.int64)
    pieces = np.zeros((*source.shape[:2], *size), source.dtype)
    first, end = ((corners + shift).clip(0, source.shape[2:]) for shift in (0, size))  # what lies inside, in the image
    inside = np.hstack([first, end, first - corners, end - corners]).tolist()  # ... and in the piece
    for n, (top, left, bottom, right, to_top, to_left, to_bottom, to_right) in enumerate(inside):
        pieces[n, :, to_top:to_bottom, to_left:to_right] = source[n, :, top:bottom, left:right]
    return torch.from_numpy(pieces)


def gather_pieces(images: Tensor, corners: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Return what ``cut_pieces`` does by one gather of pixels, which suits a GPU: a few kernels, and no wait."""
    places = to_device(corners.astype(np.int64), images.device)
    rows, columns = (
        places[:, axis, None] + torch.arange(length, device=images.device) for axis, length in enumerate(size)
    )
    (height, width), batch = images.shape[2:], torch.arange(len(images), device=images.device)[:, None, None]
    outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
    rows, columns = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    return images[batch, :, rows, columns].permute(0, 3, 1, 2).masked_fill_(outside[:, None], 0)
