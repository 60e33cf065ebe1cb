"""Random patch against its definition, pixel by pixel, and that processes see what one would."""

from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.testing import check_transform
from reidzoo.transforms import BatchDraw, RandomErasing, RandomPatch

AREA, ASPECT = (0.01, 0.5), (0.1, 10.0)


def pixels(count=12):
    return torch.randint(0, 256, (count, 3, 32, 16), dtype=torch.uint8)


def transcription(images, draw, p, flip, rotate):
    """The definition, image by image and pixel by pixel."""
    chosen, boxes = RandomErasing(p, AREA, ASPECT).rectangle.draw(draw, 32, 16)
    numbers, results = draw.uniform(6), images.clone()
    for n, (top, left, height, width) in enumerate(boxes.tolist()):
        if not chosen[n]:
            continue
        source, down, right, flipped, turns, turn = numbers[n]
        source = images[int(source * len(images))]
        down, right = int(down * (33 - height)), int(right * (17 - width))
        angle = math.radians(20 * turn - 10) if turns < rotate else 0.0
        for row in range(height):
            for column in range(width):
                y, x = row + 0.5 - height / 2, column + 0.5 - width / 2  # from the patch's centre
                from_y = math.sin(angle) * x + math.cos(angle) * y + height / 2 - 0.5
                from_x = math.cos(angle) * x - math.sin(angle) * y + width / 2 - 0.5
                near = (round(from_y), round(from_x))
                if min(abs(from_y - near[0]), abs(from_x - near[1])) > 0.499:
                    continue  # between two pixels: rounding decides
                inside = 0 <= near[0] < height and 0 <= near[1] < width
                near = (near[0], width - 1 - near[1] if flipped < flip else near[1])
                pixel = source[:, down + near[0], right + near[1]] if inside else torch.zeros(3, dtype=torch.uint8)
                results[n, :, top + row, left + column] = pixel
    return results


@pytest.mark.parametrize("flip, rotate", [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5)])
def test_the_definition(flip, rotate):
    images = pixels()
    before = images.clone()
    found = RandomPatch(0.7, flip=flip, rotate=rotate)(images, BatchDraw(2, 0, 0, 12))
    expected = transcription(images, BatchDraw(2, 0, 0, 12), 0.7, flip, rotate)
    assert torch.equal(images, before) and not torch.equal(found, images)
    assert (found != expected).float().mean() < (0.002 if rotate else 1e-9)


@pytest.mark.slow
def test_the_contract_is_kept_in_two_processes_too():
    check_transform({"type": "RandomPatch", "p": 0.8})


@pytest.mark.parametrize("arguments", [{"p": 2.0}, {"area": [0.5, 0.1]}, {"aspect": [0, 1]}, {"flip": -1}])
def test_mistakes_are_named(arguments):
    with pytest.raises(ConfigError, match="RandomPatch"):
        RandomPatch(**arguments)
