from __future__ import annotations

import pytest
import torch
from arn import FCNEncoder
from torch.nn import functional


def encoder(**arguments):
    return FCNEncoder(
        **{"in_channels": 6, "features": 10, "width": 8, "kernels": [3, 3, 1], "strides": [2, 2, 1], **arguments}
    )


def test_the_papers_map_becomes_one_feature():
    network = FCNEncoder(2048, 2048, 4, kernels=[3, 3, 1], strides=[2, 2, 1]).eval()
    assert network(torch.randn(2, 2048, 7, 7)).shape == (2, 2048, 1, 1)
    assert network.smallest == [7, 7]
    kinds = [type(layer).__name__ for layer in network]
    assert kinds == ["Conv2d", "BatchNorm2d", "LeakyReLU", "Conv2d", "BatchNorm2d", "LeakyReLU", "Conv2d"]


def test_the_last_layer_is_linear():
    features = encoder()(torch.randn(8, 6, 7, 7))
    assert (features < 0).any() and (features > 0).any()
    assert features.std() > 0.01


@pytest.mark.parametrize("size", [(7, 7), (4, 2), (2, 1), (8, 4), (16, 8)])
def test_any_map(size):
    """Larger ones are pooled by the head; smaller ones are padded below and on the right."""
    network, maps = encoder().eval(), torch.randn(2, 6, *size)
    features = network(maps)
    assert features.shape[:2] == (2, 10) and min(features.shape[2:]) >= 1
    padded = functional.pad(maps, (0, max(7 - size[1], 0), 0, max(7 - size[0], 0)))
    torch.testing.assert_close(features, network(padded))


def test_kernels_of_the_twins():
    network = encoder(kernels=[2, [2, 1], 1], strides=[2, 1, 1])
    assert network.smallest == [4, 2] and network(torch.randn(3, 6, 4, 2)).shape == (3, 10, 1, 1)
