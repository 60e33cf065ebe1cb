"""The classifier that heads make and make anew."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.heads.classifier import build_classifier, set_classifier


def test_random_weights():
    torch.manual_seed(0)
    classifier = build_classifier(64, 500, bias=True)
    assert classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert classifier.bias.abs().sum() == 0
    assert build_classifier(64, 500, bias=False).bias is None


def test_centroids_are_normalised():
    centroids = torch.tensor([[3.0, 4.0], [0.0, 2.0]], requires_grad=True)
    classifier = build_classifier(2, 2, bias=False, centroids=centroids)
    torch.testing.assert_close(classifier.weight.detach(), torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    assert classifier.weight.requires_grad and classifier.weight.is_leaf


def test_no_classes_no_classifier():
    assert build_classifier(2, 0, bias=False) is None


@pytest.mark.parametrize("num_classes, centroids", [(-1, None), (3, torch.zeros(2, 2)), (2, torch.zeros(2, 3))])
def test_wrong_sizes(num_classes, centroids):
    with pytest.raises(ValueError, match=r"num_classes|centroids"):
        build_classifier(2, num_classes, bias=False, centroids=centroids)


def test_a_head_takes_a_classifier_of_its_own_type():
    head = nn.Module()
    set_classifier(head, build_classifier(2, 3, bias=True), 3)
    assert head.classifier.weight.dtype == torch.float32 and head.num_classes == 3
    head.layer = nn.Linear(2, 2)
    head.double()
    set_classifier(head, build_classifier(2, 4, bias=True), 4)
    assert head.classifier.weight.dtype == torch.float64 and head.num_classes == 4
    set_classifier(head, None, 0)
    assert head.classifier is None and head.num_classes == 0
