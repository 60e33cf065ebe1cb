from __future__ import annotations

import numpy as np

from reidzoo.transforms import BatchDraw
from reidzoo.transforms.random_rectangle import RandomRectangle


def test_shares_and_ratios_are_in_their_ranges():
    rectangle = RandomRectangle("owner", 1.0, (0.02, 0.4), (0.3, 3.33))
    chosen, boxes = rectangle.draw(BatchDraw(0, 0, 0, 2000), 256, 128)
    top, left, height, width = boxes.T
    assert chosen.all()
    assert (np.minimum(top, left) >= 0).all()
    assert ((top + height <= 256) & (left + width <= 128)).all()
    assert (height * width / (256 * 128)).min() > 0.019
    assert (height * width / (256 * 128)).max() < 0.41
    assert (height / width).min() > 0.28
    assert (height / width).max() < 3.5
    # The whole range of places is used, ends included.
    assert top.min() == 0
    assert (top + height).max() == 256


def test_an_image_that_gets_none_has_one_of_no_pixels():
    chosen, boxes = RandomRectangle("owner", 0.5, (0.02, 0.4), (0.3, 3.33)).draw(BatchDraw(0, 0, 0, 64), 32, 16)
    assert 0 < chosen.sum() < 64
    assert not boxes[~chosen, 2:].any() and (boxes[chosen, 2:] > 0).all()
