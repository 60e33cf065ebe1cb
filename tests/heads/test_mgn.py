from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.heads import MGNHead
from reidzoo.losses import LossSet


def layer_by_hand(layer, values):
    values = values @ layer[0].weight.T
    return ((values - values.mean(0)) / (values.var(0, unbiased=False) + 1e-5).sqrt()).relu()


def test_features_of_three_granularities_by_hand():
    head, maps = MGNHead(12, 5, width=3).double(), torch.randn(4, 12, 12, 2).double()
    whole, halves, thirds = maps.chunk(3, 1)
    pooled = [one.amax((2, 3)) for one in (whole, halves, thirds)]
    pooled += [halves[:, :, :6].amax((2, 3)), halves[:, :, 6:].amax((2, 3))]
    pooled += [thirds[:, :, 4 * n : 4 * n + 4].amax((2, 3)) for n in range(3)]
    wanted = torch.stack([layer_by_hand(layer, one) for layer, one in zip(head.reduction.layers, pooled)], 1)
    outputs = head(maps)
    torch.testing.assert_close(outputs["embedding"], wanted.flatten(1))
    torch.testing.assert_close(outputs["global_feats"], wanted[:, :3])
    torch.testing.assert_close(outputs["part_feats"], wanted[:, 3:])
    assert outputs["logits"].shape == (4, 8, 5) and head.embedding_dim == 24


def test_the_papers_losses_find_their_tensors():
    head, pid = MGNHead(12, 4, width=3), torch.arange(8) // 2
    nodes = {
        "id": {"type": "CrossEntropyLoss"},
        "triplet": {"type": "TripletLoss", "margin": 1.2, "inputs": {"feat": "global_feats"}},
    }
    losses = LossSet(nodes)({**head(torch.randn(8, 12, 6, 2)), "pid": pid})
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_one_map_for_all_and_one_granularity():
    maps = torch.randn(2, 4, 5, 2)
    assert MGNHead(4, width=3, one_map=True).eval()(maps)["embedding"].shape == (2, 24)
    single = MGNHead(4, 3, width=3, granularities=[1])(maps)
    assert "part_feats" not in single and single["logits"].shape == (2, 1, 3)


def test_maps_that_cannot_be_shared():
    with pytest.raises(ConfigError, match="one_map"):
        MGNHead(8)
