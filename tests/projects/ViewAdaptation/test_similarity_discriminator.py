from __future__ import annotations

import torch
from torch import nn

from reidzoo.registry import DISCRIMINATOR


def test_it_equals_the_layers_on_concatenated_pairs():
    torch.manual_seed(0)
    net = DISCRIMINATOR.build({"type": "SimilarityDiscriminator", "widths": [7, 5]}, in_channels=4).double()
    probe, gallery = torch.randn(3, 4, dtype=torch.float64), torch.randn(6, 4, dtype=torch.float64)
    first, second, third = net.layers
    assert [(layer.in_features, layer.out_features) for layer in net.layers] == [(8, 7), (7, 5), (5, 1)]
    plain = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)
    found = net(probe, gallery)
    assert found.shape == (3, 6)
    for i in range(3):
        for j in range(6):
            torch.testing.assert_close(found[i, j], plain(torch.cat([probe[i], gallery[j]]))[0])


def test_the_papers_sizes():
    net = DISCRIMINATOR.build({"type": "SimilarityDiscriminator"}, in_channels=512)
    assert [(layer.in_features, layer.out_features) for layer in net.layers] == [(1024, 1024), (1024, 2048), (2048, 1)]
