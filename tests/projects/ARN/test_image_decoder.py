from __future__ import annotations

import pytest
import torch
from arn import ImageDecoder

from reidzoo.errors import ConfigError


def test_the_codes_layers():
    network = ImageDecoder(2048)
    convs = [layer for layer in network if isinstance(layer, torch.nn.ConvTranspose2d)]
    widths = [1024] * 3 + [512] * 3 + [256] * 3 + [64] * 3 + [3] * 3
    assert [conv.out_channels for conv in convs] == widths and len(network) == 45
    assert [conv.stride[0] for conv in convs] == [2, 1, 1] * 5
    assert isinstance(network[-1], torch.nn.Tanh) and isinstance(network[-2], torch.nn.BatchNorm2d)


def test_maps_are_added_and_images_lie_within_tanh():
    network = ImageDecoder(8, widths=[6, 4, 4, 4, 3])
    shared, private, like = torch.randn(2, 8, 8, 4), torch.randn(2, 8, 8, 4), torch.zeros(2, 3, 256, 128)
    images = network(shared, private, like)
    assert images.shape == like.shape and images.abs().max() <= 1
    network.eval()
    # Bit by bit: what untrained layers make of two maps differs by less than a tolerance.
    assert torch.equal(network(shared, private, like), network(shared + private, None, like))
    assert not torch.allclose(network(shared, private, like), network(private, None, like))


def test_another_map_is_resized():
    network = ImageDecoder(8, widths=[4, 3]).eval()
    assert network(torch.randn(2, 8, 1, 1), None, torch.zeros(2, 3, 16, 8)).shape == (2, 3, 16, 8)


def test_a_size_that_blocks_cannot_give():
    with pytest.raises(ConfigError, match=r"multiples of 4, and INPUT.SIZE is \[18, 8\]"):
        ImageDecoder(8, widths=[4, 3])(torch.randn(2, 8, 4, 2), None, torch.zeros(2, 3, 18, 8))
