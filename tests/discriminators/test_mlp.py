from __future__ import annotations

import torch
from torch import nn

from reidzoo.registry import DISCRIMINATOR


def test_layers_and_shape():
    disc = DISCRIMINATOR.build({"type": "MLPDiscriminator"}, in_channels=32)
    kinds = [type(layer) for layer in disc.layers]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU] * 3 + [nn.Linear]
    widths = [layer.out_features for layer in disc.layers if isinstance(layer, nn.Linear)]
    assert widths == [1024, 512, 256, 2]
    assert disc.layers[2].negative_slope == 0.2
    assert disc(torch.randn(4, 32)).shape == (4, 2)


def test_arguments():
    disc = DISCRIMINATOR.build(
        {"type": "MLPDiscriminator", "widths": [16], "num_classes": 3, "slope": 0.1}, in_channels=8
    )
    assert disc(torch.randn(4, 8)).shape == (4, 3)
    linear = DISCRIMINATOR.build({"type": "MLPDiscriminator", "widths": []}, in_channels=8)
    assert [type(layer) for layer in linear.layers] == [nn.Linear]


def test_learns_two_domains():
    torch.manual_seed(0)
    disc = DISCRIMINATOR.build({"type": "MLPDiscriminator", "widths": [16]}, in_channels=4)
    optim = torch.optim.Adam(disc.parameters(), 1e-2)
    domain = torch.arange(64) % 2
    feat = torch.randn(64, 4) + 4 * domain[:, None]
    for _ in range(50):
        optim.zero_grad()
        nn.functional.cross_entropy(disc(feat), domain).backward()
        optim.step()
    assert (disc(feat).argmax(1) == domain).float().mean() > 0.95


def test_without_norm_and_slope_it_is_linear_and_relu():
    node = {"type": "MLPDiscriminator", "widths": [16], "norm": False, "slope": 0.0}
    disc = DISCRIMINATOR.build(node, in_channels=8)
    feat = torch.randn(4, 8)
    first, _, last = disc.layers
    torch.testing.assert_close(disc(feat), last(torch.relu(first(feat))))
