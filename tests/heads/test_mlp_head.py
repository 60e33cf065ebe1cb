from __future__ import annotations

import pytest
import torch

from reidzoo.heads import HiddenClassifier
from reidzoo.registry import HEAD


def build(**arguments):
    return HEAD.build({"type": "MLPHead", "width": 5, **arguments}, in_channels=6, num_classes=4)


def test_pooled_feature_and_its_classifier():
    head = build(dropout=0.0)
    maps = torch.randn(5, 6, 3, 2)
    outputs = head(maps)
    torch.testing.assert_close(outputs["feat"], maps.mean((2, 3)))
    assert outputs["embedding"] is outputs["feat"] and head.embedding_dim == 6
    torch.testing.assert_close(outputs["logits"], head.classifier(maps.mean((2, 3))))
    assert isinstance(head.classifier, HiddenClassifier) and head.classifier[0].out_features == 5
    assert set(head.eval()(maps)) == {"feat", "embedding"}


def test_reset_classifier():
    head = build().double()
    head.reset_classifier(7)
    outputs = head(torch.randn(3, 6, 2, 2).double())
    assert outputs["logits"].shape == (3, 7) and outputs["logits"].dtype == torch.float64
    head.reset_classifier(0)
    assert head.num_classes == 0 and "logits" not in head(torch.randn(3, 6, 2, 2).double())
    with pytest.raises(ValueError, match="two layers"):
        head.reset_classifier(2, torch.ones(2, 6))
    with pytest.raises(ValueError, match="num_classes"):
        head.reset_classifier(-1)
