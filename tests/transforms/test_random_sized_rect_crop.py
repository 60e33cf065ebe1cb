from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms import BatchDraw, RandomSizedRectCrop
from reidzoo.transforms.random_sized_rect_crop import _resized, scale_rectangles


def plain(image, numbers, area, aspect):
    """The authors' way, one PIL image, with random numbers given."""
    width, height = image.size
    for attempt in range(10):
        pixels = height * width * (area[0] + (area[1] - area[0]) * numbers[2 + 2 * attempt])
        ratio = aspect[0] + (aspect[1] - aspect[0]) * numbers[3 + 2 * attempt]
        h, w = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if h <= height and w <= width:
            top, left = math.floor(numbers[0] * (height - h + 1)), math.floor(numbers[1] * (width - w + 1))
            return image.crop((left, top, left + w, top + h)).resize((width, height), Image.BILINEAR)
    return image


@pytest.mark.parametrize("size", [(64, 32), (90, 30), (30, 20)])
def test_equals_the_image_by_image_form(size):
    images = torch.randint(0, 256, (32, 3, *size), dtype=torch.uint8)
    numbers = BatchDraw(0, 0, 0, 32).uniform(22)
    crop = TRANSFORM.build({"type": "RandomSizedRectCrop"})
    result = crop(images, BatchDraw(0, 0, 0, 32))
    assert result.shape == images.shape and result.dtype == torch.uint8
    changed = 0
    for image, row, ours in zip(images, numbers, result):
        theirs = plain(Image.fromarray(image.permute(1, 2, 0).numpy()), row, (0.64, 1.0), (2.0, 3.0))
        difference = ours.int() - torch.from_numpy(np.array(theirs)).permute(2, 0, 1).int()
        assert difference.abs().max() <= 1  # rounding
        changed += not torch.equal(ours, image)
    assert changed > 10


def test_shares_and_ratios_are_in_their_ranges():
    boxes = RandomSizedRectCrop().rectangles(BatchDraw(0, 0, 0, 3000).uniform(22), 256, 128)
    top, left, height, width = boxes.T
    whole = (height == 256) & (width == 128)
    assert whole.mean() < 0.05
    assert ((top >= 0) & (left >= 0) & (top + height <= 256) & (left + width <= 128)).all()
    assert (height * width / (256 * 128)).min() > 0.63
    ratio = height / width
    assert ratio.min() > 1.97 and 2.6 < ratio.max() < 3.04
    assert top.max() > 20 and left.max() > 20


def test_where_nothing_fits_the_image_stays_whole():
    images = torch.randint(0, 256, (4, 3, 20, 40), dtype=torch.uint8)
    assert torch.equal(RandomSizedRectCrop(area=(0.9, 1.0))(images, BatchDraw(0, 0, 0, 4)), images)


def test_float_images_differ_by_rounding_only():
    images = torch.randint(0, 256, (8, 3, 64, 32), dtype=torch.uint8)
    crop = RandomSizedRectCrop()
    exact = crop(images.float(), BatchDraw(0, 0, 0, 8))
    assert (exact - crop(images, BatchDraw(0, 0, 0, 8))).abs().max() <= 1


@pytest.mark.parametrize("arguments", [{"area": (0.9, 0.1)}, {"aspect": (0, 1)}, {"area": (0.5, 1.2)}])
def test_wrong_arguments(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        RandomSizedRectCrop(**arguments)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_batch_of_a_gpu_is_scaled_as_the_images_of_a_cpu(dtype):
    images = torch.randint(0, 256, (32, 3, 24, 12)).to(dtype)
    crop = RandomSizedRectCrop(area=(0.3, 1.0))
    rectangles = crop.rectangles(BatchDraw(0, 0, 0, 32).uniform(22), 24, 12)
    rectangles[0] = (0, 0, 24, 12)
    expected = torch.cat([_resized(images[n : n + 1], (24, 12), *box) for n, box in enumerate(rectangles.tolist())])
    found = scale_rectangles(images, rectangles)
    assert found.dtype == dtype and torch.equal(found[0], images[0])
    difference = (found.float() - expected.float()).abs().max()
    assert difference <= (1 if dtype == torch.uint8 else 1e-3)  # fixed point on the CPU
