"""JigsawHead against its definition, row by row."""

from __future__ import annotations

import pytest
import torch

from reidzoo.heads import JigsawHead


@pytest.mark.parametrize("embedding", ["before", "after"])
def test_each_row_has_a_neck_and_a_classifier(embedding):
    torch.manual_seed(0)
    head = JigsawHead(6, num_classes=3, parts=2, embedding=embedding).double()
    maps = torch.randn(4, 6, 3, 1, dtype=torch.float64)
    found = head(maps)
    assert head.embedding_dim == 18 and found["embedding"].shape == (4, 18)
    for row in range(3):
        feat = maps[:, :, row, 0]
        torch.testing.assert_close(found["part_feats"][:, row], feat)
        normed = (feat - feat.mean(0)) / (feat.var(0, unbiased=False) + 1e-5).sqrt()
        classify = head.classifier.branches[row]
        torch.testing.assert_close(found["logits"][:, row], normed @ classify.weight.t() + classify.bias)
        expected = (normed if embedding == "after" else feat) / (1 if row == 0 else 2)
        torch.testing.assert_close(found["embedding"][:, 6 * row : 6 * row + 6], expected)
    torch.testing.assert_close(found["feat"], maps[:, :, 0, 0])


def test_another_map_is_pooled_to_the_rows():
    head = JigsawHead(6, parts=2).eval()
    maps = torch.randn(2, 6, 6, 4)
    for row in range(3):
        torch.testing.assert_close(head(maps)["part_feats"][:, row], maps[:, :, 2 * row : 2 * row + 2].mean((2, 3)))
