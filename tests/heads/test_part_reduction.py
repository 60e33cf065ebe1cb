from __future__ import annotations

import torch
from torch import nn

from reidzoo.heads.part_reduction import PartReduction


def test_a_shared_layer_is_a_convolution_of_pooled_stripes():
    torch.manual_seed(0)
    layer, parts = PartReduction(6, 4, 3, shared=True), torch.randn(5, 3, 6)
    convolved = nn.functional.conv2d(parts.transpose(1, 2)[..., None], layer.layers[0][0].weight[..., None, None])
    wanted = nn.BatchNorm2d(4)(convolved).relu()[..., 0].transpose(1, 2)
    torch.testing.assert_close(layer(parts), wanted)


def test_layers_of_their_own_know_their_part_alone():
    layer = PartReduction(6, 4, 3).eval()
    parts = torch.randn(5, 3, 6)
    before = layer(parts)
    assert len(layer.layers) == 3
    with torch.no_grad():
        layer.layers[1][0].weight.neg_()
    moved = (layer(parts) != before).any(2).any(0)
    assert moved.tolist() == [False, True, False]
