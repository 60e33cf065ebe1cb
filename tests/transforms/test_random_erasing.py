from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms import BatchDraw, RandomErasing
from reidzoo.transforms.random_rectangle import cover


def plain(image, numbers, p, area, aspect, fill):
    """Algorithm 1 of Zhong et al., one image, with random numbers given."""
    _, height, width = image.shape
    if numbers[0] >= p:
        return image
    for attempt in range(100):
        pixels = height * width * (area[0] + (area[1] - area[0]) * numbers[3 + 2 * attempt])
        ratio = aspect[0] + (aspect[1] - aspect[0]) * numbers[4 + 2 * attempt]
        high, wide = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if high < height and wide < width:
            top = math.floor(numbers[1] * (height - high + 1))
            left = math.floor(numbers[2] * (width - wide + 1))
            image = image.clone()
            for channel in range(3):
                image[channel, top : top + high, left : left + wide] = fill[channel]
            return image
    return image


@pytest.mark.parametrize("size", [(64, 32), (9, 7)])
@pytest.mark.parametrize("area", [(0.02, 0.4), (0.5, 1.0)])
def test_equals_the_image_by_image_form(size, area):
    images = torch.randn(64, 3, *size)
    numbers = BatchDraw(0, 0, 0, 64).uniform(203)
    fill = (0.485, 0.456, 0.406)
    expected = [plain(image, row, 0.7, area, (0.3, 3.33), fill) for image, row in zip(images, numbers)]
    erasing = TRANSFORM.build({"type": "RandomErasing", "p": 0.7, "area": list(area)})
    result = erasing(images.clone(), BatchDraw(0, 0, 0, 64))
    assert torch.equal(result, torch.stack(expected))
    changed = (result != images).flatten(1).any(1).float().mean()
    assert 0.5 < changed < 0.9


def test_the_mask_of_a_gpu_covers_what_the_slices_of_a_cpu_do():
    erasing, images = RandomErasing(p=0.5), torch.randn(64, 3, 32, 16)
    erase, rectangles = erasing.rectangle.draw(BatchDraw(0, 0, 0, 64), 32, 16)
    expected = erasing(images.clone(), BatchDraw(0, 0, 0, 64))
    assert 0 < erase.sum() < 64
    assert torch.equal(torch.where(cover(rectangles, images), erasing._fill, images), expected)


def test_what_does_not_fit_is_left_alone():
    images = torch.randn(4, 3, 8, 8)
    result = RandomErasing(p=1.0, area=[1.0, 1.0], aspect=[1.0, 1.0])(images.clone(), BatchDraw(0, 0, 0, 4))
    assert torch.equal(result, images)


def test_one_fill_value():
    images = torch.ones(8, 3, 16, 8)
    result = RandomErasing(p=1.0, fill=0.0)(images, BatchDraw(0, 0, 0, 8))
    assert set(result.unique().tolist()) == {0.0, 1.0}


def test_numbers_that_numpy_does_not_have_are_erased_alike():
    images = torch.randn(8, 3, 16, 8)
    expected = RandomErasing(p=0.7, fill=0.5)(images.clone(), BatchDraw(0, 0, 0, 8)).bfloat16()
    assert torch.equal(RandomErasing(p=0.7, fill=0.5)(images.bfloat16(), BatchDraw(0, 0, 0, 8)), expected)


def test_goes_after_normalisation():
    with pytest.raises(ConfigError, match="after Normalize"):
        RandomErasing()(torch.zeros(1, 3, 8, 4, dtype=torch.uint8), BatchDraw(0, 0, 0, 1))


@pytest.mark.parametrize("arguments", [{"area": [0.4, 0.02]}, {"area": [0.4]}, {"aspect": [0.0, 1.0]}])
def test_wrong_arguments(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        RandomErasing(**arguments)
