from __future__ import annotations

import pytest
import torch

from reidzoo.registry import TRANSFORM
from reidzoo.transforms import BatchDraw, RandomHorizontalFlip


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_equals_the_image_by_image_form(dtype):
    images = torch.randint(0, 256, (32, 3, 6, 5)).to(dtype)
    before = images.clone()
    flipped = TRANSFORM.build({"type": "RandomHorizontalFlip", "p": 0.4})(images, BatchDraw(0, 0, 0, 32))
    numbers = BatchDraw(0, 0, 0, 32).uniform(1)
    for image, result, number in zip(images, flipped, numbers):
        expected = torch.stack([image[:, :, x] for x in range(4, -1, -1)], dim=2) if number[0] < 0.4 else image
        assert torch.equal(result, expected)
    assert torch.equal(images, before)
    assert flipped.dtype == dtype


def test_never_and_always():
    images = torch.randint(0, 256, (8, 3, 4, 4), dtype=torch.uint8)
    assert torch.equal(RandomHorizontalFlip(0.0)(images, BatchDraw(0, 0, 0, 8)), images)
    assert torch.equal(RandomHorizontalFlip(1.0)(images, BatchDraw(0, 0, 0, 8)), images.flip(3))
