"""Local grayscale against its definition, pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.transforms import BatchDraw, LocalGrayscale, RandomErasing


def test_inside_of_erasings_rectangles_the_pixels_are_grey():
    images = torch.randint(0, 256, (30, 3, 32, 16), dtype=torch.uint8)
    before = images.clone()
    found = LocalGrayscale(p=0.6)(images, BatchDraw(1, 0, 0, 30))
    chosen, boxes = RandomErasing(0.6, (0.02, 0.4), (0.3, 3.33)).rectangle.draw(BatchDraw(1, 0, 0, 30), 32, 16)
    assert torch.equal(images, before) and 8 < chosen.sum() < 28
    for n, (grey, (top, left, height, width)) in enumerate(zip(chosen, boxes.tolist())):
        for row in range(32):
            for column in range(16):
                red, green, blue = images[n, :, row, column].tolist()
                inside = grey and top <= row < top + height and left <= column < left + width
                expected = [0.2989 * red + 0.587 * green + 0.114 * blue] * 3 if inside else [red, green, blue]
                assert found[n, :, row, column].tolist() == pytest.approx(expected, abs=1.001)


def test_it_goes_before_normalize():
    with pytest.raises(ConfigError, match=r"images are torch\.float32; put it before Normalize"):
        LocalGrayscale()(torch.rand(2, 3, 32, 16), BatchDraw(1, 0, 0, 2))


@pytest.mark.parametrize("arguments", [{"p": 2.0}, {"area": [0.5, 0.1]}, {"aspect": [0, 1]}])
def test_mistakes_are_named(arguments):
    with pytest.raises(ConfigError, match="LocalGrayscale"):
        LocalGrayscale(**arguments)
