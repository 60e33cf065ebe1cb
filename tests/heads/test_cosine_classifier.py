from __future__ import annotations

import math

import pytest
import torch

from reidzoo.heads import BNNeck, CosineClassifier, LinearHead


def test_logits_are_cosines():
    classifier = CosineClassifier(4, 3).double()
    feat = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    for row, logits in zip(feat.tolist(), classifier(feat).tolist()):
        for weight, logit in zip(classifier.weight.tolist(), logits):
            wanted = sum(map(math.prod, zip(row, weight))) / math.hypot(*row) / math.hypot(*weight)
            assert logit == pytest.approx(wanted, rel=1e-12)
    assert torch.autograd.gradcheck(classifier, feat)


def test_half_precision_is_compared_in_float32():
    classifier, feat = CosineClassifier(8, 3), torch.randn(4, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        cosines = classifier(feat)
    assert cosines.dtype == torch.float32
    torch.testing.assert_close(cosines, classifier(feat.float()))


@pytest.mark.parametrize("cls", [BNNeck, LinearHead])
def test_heads_keep_their_kind_of_classifier(cls):
    head = cls(6, 4, classifier="cosine")
    assert type(head.classifier) is CosineClassifier and head.classifier.bias is None
    head.reset_classifier(3, torch.eye(6)[:3])
    assert type(head.classifier) is CosineClassifier
    assert head(torch.randn(8, 6, 4, 2))["logits"].abs().max() <= 1 + 1e-6
