from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms import BatchDraw, RandomCrop


def test_pieces_are_where_the_draw_says():
    images = torch.randint(0, 256, (6, 3, 9, 7), dtype=torch.uint8)
    result = TRANSFORM.build({"type": "RandomCrop", "size": [5, 4]})(images, BatchDraw(0, 0, 0, 6))
    assert result.shape == (6, 3, 5, 4)
    for image, piece, (y, x) in zip(images, result, np.floor(BatchDraw(0, 0, 0, 6).uniform(2) * (5, 4)).astype(int)):
        assert torch.equal(piece, image[:, y : y + 5, x : x + 4])


def test_every_place_is_equally_likely():
    images = torch.arange(3 * 2).reshape(1, 1, 3, 2).expand(1200, 1, 3, 2)
    counts = torch.bincount(RandomCrop([1, 1])(images, BatchDraw(0, 0, 0, 1200)).flatten(), minlength=6)
    assert ((counts > 150) & (counts < 250)).all()


def test_whole_image():
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    assert torch.equal(RandomCrop([4, 4])(images, BatchDraw(0, 0, 0, 2)), images)


@pytest.mark.parametrize("size", [[4], [0, 3], [1, 2, 3]])
def test_wrong_size(size):
    with pytest.raises(ConfigError, match="RandomCrop: size"):
        RandomCrop(size)


def test_image_too_small():
    with pytest.raises(ConfigError, match="hold no piece of 8 x 8"):
        RandomCrop([8, 8])(torch.zeros(1, 3, 8, 7, dtype=torch.uint8), BatchDraw(0, 0, 0, 1))
