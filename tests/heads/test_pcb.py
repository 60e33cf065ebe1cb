from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.heads import PCBHead
from reidzoo.losses import LossSet


def by_hand(head, maps):
    """Fig. 2 with one convolution, stripe by stripe: the g_i and the h_i, both (B, p, ...)."""
    rows = maps.shape[2] // head.parts
    pooled = torch.stack([maps[:, :, i * rows : (i + 1) * rows].mean((2, 3)) for i in range(head.parts)], 1)
    reduced = pooled @ head.reduction.layers[0][0].weight.T
    mean, variance = reduced.mean((0, 1)), reduced.var((0, 1), unbiased=False)
    return pooled, ((reduced - mean) / (variance + 1e-5).sqrt()).relu()


def test_stripes_their_features_and_their_classifiers():
    head, maps = PCBHead(8, 5, parts=3, width=4, dropout=0.0).double(), torch.randn(6, 8, 6, 2).double()
    outputs = head(maps)
    _, parts = by_hand(head, maps)
    torch.testing.assert_close(outputs["part_feats"], parts)
    torch.testing.assert_close(outputs["embedding"], parts.flatten(1))
    for n, branch in enumerate(head.classifier.branches):
        torch.testing.assert_close(outputs["logits"][:, n], parts[:, n] @ branch.weight.T)


def test_pooled_stripes_as_the_embedding():
    head = PCBHead(8, parts=3, width=4, dropout=0.0, embedding="pooled").double()
    maps = torch.randn(6, 8, 6, 2).double()
    pooled, _ = by_hand(head, maps)
    wanted = torch.cat([g / g.norm(dim=1, keepdim=True) for g in pooled.unbind(1)], 1)
    torch.testing.assert_close(head(maps)["embedding"], wanted)
    assert head.embedding_dim == 24


def test_losses_of_all_parts_and_of_chosen_ones():
    head, pid = PCBHead(8, 4, parts=3, width=5), torch.arange(8) // 2
    nodes = {
        "id": {"type": "CrossEntropyLoss"},
        "all": {"type": "TripletLoss", "inputs": {"feat": "part_feats"}},
        **{f"part{n}": {"type": "TripletLoss", "inputs": {"feat": f"part_feats.{n}"}} for n in range(3)},
        "first": {"type": "CrossEntropyLoss", "inputs": {"logits": "logits.0"}},
    }
    outputs = head(torch.randn(8, 8, 6, 2))
    found = LossSet(nodes)({**outputs, "pid": pid})
    torch.testing.assert_close(found["all"], found["part0"] + found["part1"] + found["part2"])
    torch.testing.assert_close(found["first"], torch.nn.functional.cross_entropy(outputs["logits"][:, 0], pid))
    with pytest.raises(ConfigError, match=r"no tensor 'part_feats\.3'"):
        LossSet({"x": {"type": "TripletLoss", "inputs": {"feat": "part_feats.3"}}})({**outputs, "pid": pid})


def test_class_means_of_the_pooled_stripes_are_refused():
    head = PCBHead(8, 4, parts=3, width=5, embedding="pooled")
    with pytest.raises(ValueError, match="3 x 5"):
        head.reset_classifier(4, torch.randn(4, head.embedding_dim))
    with pytest.raises(ConfigError, match="reduced, pooled"):
        PCBHead(8, embedding="both")
