from __future__ import annotations

import pytest
import torch
from arn import FCNEncoder, FeatureDecoder


def decoder(in_channels=20, kernels=(3, 3, 1), strides=(2, 2, 1)):
    return FeatureDecoder(in_channels, out_channels=6, width=8, kernels=kernels, strides=strides)


@pytest.mark.parametrize(
    "kernels, strides, size", [((3, 3, 1), (2, 2, 1), (7, 7)), ((2, (2, 1), 1), (2, 1, 1), (4, 2))]
)
def test_it_undoes_the_encoders_sizes(kernels, strides, size):
    maps = torch.randn(3, 6, *size)
    encode, network, sizes = FCNEncoder(6, 10, 8, kernels, strides), decoder(20, kernels, strides), []
    for layer in (*encode, *network):
        if not isinstance(layer, torch.nn.BatchNorm2d | torch.nn.LeakyReLU):
            layer.register_forward_hook(lambda module, given, result: sizes.append(tuple(result.shape[2:])))
    code = encode(maps)
    rebuilt = network(code, code, maps)
    assert rebuilt.shape == maps.shape and (rebuilt < 0).any()
    assert [size, *sizes[:3]] == sizes[:1:-1]


def test_it_takes_the_features_side_by_side():
    network = decoder().eval()
    shared, private, like = torch.randn(2, 10, 1, 1), torch.randn(2, 10, 1, 1), torch.zeros(2, 6, 7, 7)
    plain = torch.nn.Sequential(*network)(torch.cat([shared, private], dim=1))
    torch.testing.assert_close(network(shared, private, like), plain)


def test_without_private_features():
    assert decoder(in_channels=10)(torch.randn(2, 10, 1, 1), None, torch.zeros(2, 6, 7, 7)).shape == (2, 6, 7, 7)


def test_maps_of_encoders_are_pooled_and_other_sizes_are_met():
    network = decoder().eval()
    shared, like = torch.randn(2, 20, 3, 2), torch.zeros(2, 6, 16, 8)
    rebuilt = network(shared, None, like)
    assert rebuilt.shape == like.shape
    torch.testing.assert_close(rebuilt, network(shared.mean((2, 3), keepdim=True), None, like))
