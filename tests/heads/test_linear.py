"""LinearHead with and without its fully connected layer."""

from __future__ import annotations

import pytest
import torch

from reidzoo.heads.linear import LinearHead
from reidzoo.registry import HEAD


def test_without_layer_it_pools_and_classifies():
    head = LinearHead(6, 4)
    maps = torch.randn(5, 6, 3, 2)
    outputs = head(maps)
    torch.testing.assert_close(outputs["feat"], maps.mean((2, 3)))
    assert outputs["embedding"] is outputs["feat"] and head.embedding_dim == 6
    torch.testing.assert_close(outputs["logits"], maps.mean((2, 3)) @ head.classifier.weight.T)


def test_with_layer_by_hand():
    torch.manual_seed(0)
    head = LinearHead(6, 4, embedding_dim=3)
    maps = torch.randn(5, 6, 3, 2)
    hidden = maps.mean((2, 3)) @ head.fc[0].weight.T
    hidden = ((hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-5).sqrt()).relu()
    outputs = head(maps)
    torch.testing.assert_close(outputs["embedding"], hidden)
    assert outputs["logits"].shape == (5, 4)
    assert {"fc.0.weight", "fc.0.bias", "fc.1.running_mean"} <= set(head.state_dict())


def test_dropout_reaches_the_classifier_only():
    head = LinearHead(6, 4, dropout=0.9)
    head.dropout.p = 1.0  # no configuration can ask for that, but it shows what passes through
    outputs = head(torch.rand(5, 6, 3, 2) + 1)
    assert outputs["logits"].abs().sum() == 0 and (outputs["embedding"] > 0).all()


def test_evaluation_has_no_logits():
    assert set(LinearHead(6, 4).eval()(torch.randn(1, 6, 3, 2))) == {"feat", "embedding"}


@pytest.mark.parametrize("embedding_dim", [0, 3])
def test_reset_classifier(embedding_dim):
    head = LinearHead(6, embedding_dim=embedding_dim)
    head.reset_classifier(2, torch.ones(2, head.embedding_dim))
    torch.testing.assert_close(head.classifier.weight.norm(dim=1), torch.ones(2))
    assert head(torch.randn(3, 6, 2, 2))["logits"].shape == (3, 2)
    head.reset_classifier(0)
    assert head.num_classes == 0 and "logits" not in head(torch.randn(3, 6, 2, 2))


def test_it_is_registered():
    head = HEAD.build({"type": "LinearHead", "embedding_dim": 3}, in_channels=6, num_classes=4)
    assert head.embedding_dim == 3
