"""BNNeck: what it returns, the frozen bias, the new classifier."""

from __future__ import annotations

import pytest
import torch

from reidzoo.heads.bnneck import BNNeck
from reidzoo.registry import HEAD


def test_training_by_hand():
    torch.manual_seed(0)
    head = BNNeck(6, 4)
    maps = torch.randn(5, 6, 3, 2)
    outputs = head(maps)
    feat = maps.mean((2, 3))
    embedding = (feat - feat.mean(0)) / (feat.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(outputs["feat"], feat)
    torch.testing.assert_close(outputs["embedding"], embedding)
    torch.testing.assert_close(outputs["logits"], embedding @ head.classifier.weight.T)


def test_evaluation_has_no_logits():
    head = BNNeck(6, 4).eval()
    assert set(head(torch.randn(1, 6, 3, 2))) == {"feat", "embedding"}
    assert set(BNNeck(6)(torch.randn(2, 6, 3, 2))) == {"feat", "embedding"}


def test_the_bias_is_frozen_unless_told():
    assert not BNNeck(6, 4).bn.bias.requires_grad
    assert BNNeck(6, 4, bias_frozen=False).bn.bias.requires_grad
    assert BNNeck(6, 4).bn.weight.requires_grad


def test_names():
    assert "classifier.weight" in BNNeck(6, 4).state_dict()
    assert not any(name.startswith("classifier") for name in BNNeck(6).state_dict())
    assert "pooling.p" in BNNeck(6, 4, pooling="gem").state_dict()


@pytest.mark.parametrize("num_classes", [0, 4, 7])
def test_reset_classifier(num_classes):
    head = BNNeck(6, 4)
    old = head.classifier.weight
    head.reset_classifier(num_classes)
    assert head.num_classes == num_classes
    outputs = head(torch.randn(3, 6, 2, 2))
    if num_classes:
        assert outputs["logits"].shape == (3, num_classes) and head.classifier.weight is not old
    else:
        assert "logits" not in outputs


def test_reset_classifier_to_centroids():
    head = BNNeck(2, 4).double()
    head.reset_classifier(2, torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
    expected = torch.tensor([[0.6, 0.8], [0.0, 1.0]]).double()
    torch.testing.assert_close(head.classifier.weight.detach(), expected, atol=1e-7, rtol=1e-6)
    with pytest.raises(ValueError, match=r"centroids must be \(3, 2\)"):
        head.reset_classifier(3, torch.zeros(2, 2))
    assert head.num_classes == 2


def test_half_maps_are_embedded_in_float32():
    head = BNNeck(6, 4)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = head(torch.randn(4, 6, 2, 2).bfloat16())
    assert outputs["feat"].dtype == outputs["embedding"].dtype == torch.float32


def test_it_is_registered():
    head = HEAD.build({"type": "BNNeck", "pooling": "max"}, in_channels=6, num_classes=4)
    assert isinstance(head, BNNeck) and head.embedding_dim == 6


def test_an_embedding_size_puts_a_layer_before_the_norm():
    head = BNNeck(6, 4, embedding_dim=3).double()
    maps = torch.randn(8, 6, 4, 2).double()
    outputs = head(maps)
    torch.testing.assert_close(outputs["feat"], maps.mean((2, 3)) @ head.reduction.weight.T)
    torch.testing.assert_close(outputs["logits"], outputs["embedding"] @ head.classifier.weight.T)
    assert head.embedding_dim == 3 and "reduction.weight" not in BNNeck(6).state_dict()
