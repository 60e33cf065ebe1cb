"""What a program does to pixels is undone exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.deployment.consumers import CONSUMERS
from reidzoo.deployment.feed import Feed

MEAN, STD = [0.4, 0.5, 0.3], [0.2, 0.3, 0.25]


@pytest.mark.parametrize(
    "feed",
    [
        Feed.normalised((4, 2), MEAN, STD),
        Feed.unit((4, 2)),
        Feed.uint8((4, 2)),
        Feed("boxmot", (4, 2), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        Feed("deepstream", (4, 2), scale=1.0),
        Feed("caffe", (4, 2), scale=1.0, mean=(104.0, 117.0, 123.0)),
    ],
    ids=lambda feed: feed.name,
)
def test_the_graph_gets_back_the_pixels_of_the_model(feed):
    pixels = torch.randint(0, 256, (3, 3, 4, 2)).float()
    factor, offset = feed.affine(MEAN, STD)
    fed = torch.from_numpy(feed.prepare(pixels)).float()
    found = fed * factor + offset
    for channel in range(3):
        expected = (pixels[:, channel] / 255 - MEAN[channel]) / STD[channel]
        torch.testing.assert_close(found[:, channel], expected, rtol=1e-5, atol=1e-5)


def test_bytes_and_the_order_of_colours():
    pixels = torch.tensor([[[[10.4]], [[20.0]], [[255.0]]]])
    assert Feed.uint8((1, 1)).prepare(pixels).tolist() == [[[[10]], [[20]], [[255]]]]
    swapped = Feed("bgr", (1, 1), scale=1.0, order="bgr").prepare(pixels)
    np.testing.assert_allclose(swapped[0, :, 0, 0], [255.0, 20.0, 10.4], rtol=1e-6)


def test_what_the_programs_feed(make_model):
    """As their code has it; the tests of test_installed_consumers.py run that code."""
    model = make_model()
    feeds = {name: consumer.feed(model, (8, 4)) for name, consumer in CONSUMERS.items()}
    white = torch.full((1, 3, 8, 4), 255.0)
    assert feeds["ultralytics"].prepare(white).max() == pytest.approx(1)
    assert feeds["deepstream"].prepare(white).max() == 255
    assert feeds["norfair"].prepare(white).dtype == np.uint8
    red = feeds["boxmot"].prepare(white)[0, 0, 0, 0]
    assert red == pytest.approx((1 - 0.485) / 0.229)
    assert feeds["roboflow"].prepare(white)[0, 0, 0, 0] == pytest.approx((1 - 0.4) / 0.2)
