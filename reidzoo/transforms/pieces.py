"""Pieces of a batch's images, each from a place of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.to_device import to_device

__all__ = ["cut_pieces", "gather_pieces", "gather_pixels"]


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
    """Return what ``cut_pieces`` does by one gather of pixels, which suits a GPU: few kernels, and no wait."""
    (rows, above_or_below), (columns, beside) = (
        _places(corners[:, axis], length, images.shape[2 + axis]) for axis, length in enumerate(size)
    )
    places = np.hstack([np.arange(len(images))[:, None], rows, columns])
    pieces = gather_pixels(images, to_device(places, images.device), size[0])
    if above_or_below.any():
        pieces.masked_fill_(to_device(above_or_below, images.device)[:, None, :, None], 0)
    if beside.any():
        pieces.masked_fill_(to_device(beside, images.device)[:, None, None, :], 0)
    return pieces


def gather_pixels(images: Tensor, places: Tensor, height: int) -> Tensor:
    """Return pixels of each image, (B, C, h, w), channels last in memory.

    Args:
        images: (B, C, H, W).
        places: int64 (B, 1 + h + w), on their device: the image's number, rows and columns.
        height: h.
    """
    rows, columns = places[:, 1 : 1 + height], places[:, 1 + height :]
    return images[places[:, :1, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _places(starts: np.ndarray, length: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of ``length`` pixels from each start on, int64 (B, length), and which lie outside."""
    positions = starts.astype(np.int64)[:, None] + np.arange(length)
    return positions.clip(0, limit - 1), (positions < 0) | (positions >= limit)
