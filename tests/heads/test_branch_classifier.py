from __future__ import annotations

import pytest
import torch

from reidzoo.heads import BranchClassifier


def test_each_branch_has_its_part_of_the_feature():
    classifier = BranchClassifier(6, 4, 3)
    feat = torch.randn(5, 6)
    logits = classifier(feat)
    assert logits.shape == (5, 3, 4)
    for n, branch in enumerate(classifier.branches):
        torch.testing.assert_close(logits[:, n], feat[:, 2 * n : 2 * n + 2] @ branch.weight.T)
        assert not branch.bias.any()


def test_centroids_and_uneven_features():
    centroids = torch.randn(4, 6)
    classifier = BranchClassifier(6, 4, 2, centroids)
    torch.testing.assert_close(classifier.branches[1].weight, torch.nn.functional.normalize(centroids[:, 3:], dim=1))
    with pytest.raises(ValueError, match="evenly"):
        BranchClassifier(7, 4, 3)
