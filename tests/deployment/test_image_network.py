"""The graph embeds what a program feeds as the model embeds the images themselves."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from reidzoo.deployment.consumers import CONSUMERS
from reidzoo.deployment.feed import Feed
from reidzoo.deployment.image_network import ImageNetwork, resize_in_graph


def network(model, feed, method="embed"):
    inputs = model.config.INPUT
    return ImageNetwork(
        model.module, method, feed, model.size, list(inputs.MEAN), list(inputs.STD), model.config.TEST.FLIP
    ).eval()


@pytest.fixture
def pixels():
    return torch.randint(0, 256, (3, 3, 32, 16), dtype=torch.uint8)


@torch.no_grad()
@pytest.mark.parametrize("name", CONSUMERS)
def test_what_a_program_feeds_is_embedded_as_the_model_does(make_model, pixels, name):
    model = make_model()
    feed = CONSUMERS[name].feed(model, model.size)
    found = network(model, feed)(torch.from_numpy(feed.prepare(pixels)))
    torch.testing.assert_close(found, model.embed(pixels), rtol=0, atol=1e-4)


@torch.no_grad()
def test_without_the_compensation_the_embedding_is_another(make_model, pixels):
    """What the tests above would not see if the graph took pixels as they come."""
    model = make_model()
    unit, ready = Feed.unit(model.size), Feed.normalised(model.size, model.config.INPUT.MEAN, model.config.INPUT.STD)
    wrong = network(model, ready)(torch.from_numpy(unit.prepare(pixels)))
    assert functional.cosine_similarity(wrong, model.embed(pixels)).min() < 0.99


@torch.no_grad()
def test_blue_comes_first_where_a_program_says_so(make_model, pixels):
    model = make_model()
    feed = Feed("bgr", model.size, order="bgr")
    torch.testing.assert_close(
        network(model, feed)(torch.from_numpy(feed.prepare(pixels))), model.embed(pixels), rtol=0, atol=1e-4
    )


@torch.no_grad()
def test_the_mirrored_image_is_embedded_where_the_evaluation_does(make_model, pixels):
    model = make_model(TEST_FLIP=True)
    feed = Feed.uint8(model.size)
    found = network(model, feed)(pixels)
    torch.testing.assert_close(found, model.embed(pixels), rtol=0, atol=1e-5)
    plain = make_model()
    assert (found - plain.embed(pixels)).abs().max() > 1e-3


def test_sizes_that_divide_are_means_of_blocks():
    images = torch.arange(32.0).view(1, 1, 4, 8)
    assert resize_in_graph(images, (2, 4))[0, 0, 0, 0] == pytest.approx((0 + 1 + 8 + 9) / 4)
    assert resize_in_graph(images, (4, 8)) is images
    assert resize_in_graph(images, (3, 5)).shape == (1, 1, 3, 5)
    assert resize_in_graph(images, (8, 16)).shape == (1, 1, 8, 16)


@torch.no_grad()
def test_larger_images_are_resized_before_the_model(make_model, pixels):
    model = make_model()
    large = pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)
    found = network(model, Feed.uint8((64, 32)))(large)
    torch.testing.assert_close(found, model.embed(pixels), rtol=0, atol=1e-5)
