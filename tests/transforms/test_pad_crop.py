from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms import BatchDraw, PadCrop


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("pad", [0, 3, 12])
def test_equals_the_pixel_by_pixel_form(dtype, pad):
    images = torch.randint(1, 256, (6, 3, 8, 5)).to(dtype)
    before = images.clone()
    result = TRANSFORM.build({"type": "PadCrop", "pad": pad})(images, BatchDraw(0, 0, 0, 6))
    for i, (down, right) in enumerate(np.floor(BatchDraw(0, 0, 0, 6).uniform(2) * (2 * pad + 1)).astype(int) - pad):
        for y in range(8):
            for x in range(5):
                inside = 0 <= y + down < 8 and 0 <= x + right < 5
                expected = images[i, :, y + down, x + right] if inside else torch.zeros(3, dtype=dtype)
                assert torch.equal(result[i, :, y, x], expected)
    assert torch.equal(images, before)


def test_every_offset_is_equally_likely():
    images = torch.zeros(1000, 1, 5, 5, dtype=torch.uint8)
    images[:, :, 2, 2] = 1
    places = PadCrop(1)(images, BatchDraw(0, 0, 0, 1000))[:, 0].sum(0)
    assert places.sum() == 1000
    assert ((places[1:4, 1:4] > 70) & (places[1:4, 1:4] < 150)).all()


def test_wrong_pad():
    with pytest.raises(ConfigError, match="pad"):
        PadCrop(-1)
