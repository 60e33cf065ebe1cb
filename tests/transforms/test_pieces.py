from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.transforms.pieces import cut_pieces, gather_pieces


def pixel_by_pixel(images, corners, size):
    pieces = torch.zeros(*images.shape[:2], *size, dtype=images.dtype)
    for piece, image, (top, left) in zip(pieces, images, corners.tolist()):
        for y in range(size[0]):
            for x in range(size[1]):
                if 0 <= top + y < image.shape[1] and 0 <= left + x < image.shape[2]:
                    piece[:, y, x] = image[:, top + y, left + x]
    return pieces


@pytest.mark.parametrize("take", [cut_pieces, gather_pieces])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(8, 5), (3, 4), (11, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pieces_are_what_they_are_pixel_by_pixel(take, dtype, size, layout):
    images = torch.randint(1, 256, (40, 3, 8, 5)).to(dtype).contiguous(memory_format=layout)
    before = images.clone()
    corners = np.random.default_rng(0).integers(-14, 14, (40, 2))  # some pieces lie outside altogether
    corners[0] = (0, 0)
    pieces = take(images, corners, size)
    assert pieces.dtype == dtype and torch.equal(pieces, pixel_by_pixel(images, corners, size))
    assert torch.equal(images, before)


def test_nan_outside_of_the_piece_stays_outside():
    images = torch.full((2, 1, 4, 4), torch.nan)
    for take in (cut_pieces, gather_pieces):
        assert torch.equal(take(images, np.array([[9, 9], [-9, 0]]), (4, 4)), torch.zeros(2, 1, 4, 4))
