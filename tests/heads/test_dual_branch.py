from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.errors import ConfigError
from reidzoo.heads import DualBranchHead
from reidzoo.registry import HEAD


def normalised(values, dims):
    mean, variance = values.mean(dims, keepdim=True), values.var(dims, unbiased=False, keepdim=True)
    return ((values - mean) / (variance + 1e-5).sqrt()).relu()


def test_convolution_before_the_halves_by_hand():
    torch.manual_seed(0)
    head = DualBranchHead(12, 5, width=4).double()
    maps = torch.randn(3, 12, 6, 2).double()
    outputs = head(maps)
    whole = maps[:, :6].mean((2, 3)) @ head.global_fc[0].weight.T + head.global_fc[0].bias
    local = normalised(nn.functional.conv2d(maps[:, 6:], head.reduction[0].weight), (0, 2, 3))
    wanted = [normalised(whole, 0), local[:, :, :3].mean((2, 3)), local[:, :, 3:].mean((2, 3))]
    torch.testing.assert_close(outputs["embedding"], torch.cat(wanted, 1))
    assert outputs["feat"] is outputs["embedding"] and head.embedding_dim == 12
    for n, (part, branch) in enumerate(zip(wanted, head.classifier.branches)):
        torch.testing.assert_close(outputs["logits"][:, n], part @ branch.weight.T)


def test_halves_before_their_layers_by_hand():
    torch.manual_seed(0)
    head = DualBranchHead(12, 5, width=4, reduction="linear").double()
    maps = torch.randn(3, 12, 6, 2).double()
    embedding = head(maps)["embedding"]
    for n, rows in enumerate((slice(0, 3), slice(3, 6))):
        layer = head.local_fc[n][0]
        half = maps[:, 6:, rows].mean((2, 3)) @ layer.weight.T + layer.bias
        torch.testing.assert_close(embedding[:, 4 * (n + 1) : 4 * (n + 2)], normalised(half, 0))


def test_odd_maps_share_the_middle_row():
    head = DualBranchHead(4, width=2).eval()
    maps = torch.randn(2, 4, 5, 3)
    local = head.reduction(maps[:, 2:])
    embedding = head(maps)["embedding"]
    pooled = nn.functional.adaptive_avg_pool2d(local, (2, 1))[..., 0]
    torch.testing.assert_close(embedding[:, 2:], pooled.transpose(1, 2).reshape(2, 4))
    assert torch.isfinite(head(torch.randn(2, 4, 1, 1))["embedding"]).all()


def test_evaluation_has_no_logits_and_reset_makes_new_classifiers():
    head = DualBranchHead(8, 4, width=3)
    assert set(head.eval()(torch.randn(2, 8, 4, 2))) == {"feat", "embedding"}
    head.train().reset_classifier(6, torch.ones(6, 9))
    for branch in head.classifier.branches:
        torch.testing.assert_close(branch.weight.norm(dim=1), torch.ones(6))
    assert head(torch.randn(2, 8, 4, 2))["logits"].shape == (2, 3, 6)
    head.reset_classifier(0)
    assert head.num_classes == 0 and "logits" not in head(torch.randn(2, 8, 4, 2))


def test_mistakes():
    with pytest.raises(ConfigError, match="conv, linear"):
        HEAD.build({"type": "DualBranchHead", "reduction": "mlp"}, in_channels=8, num_classes=2)
    with pytest.raises(ConfigError, match="two branches"):
        DualBranchHead(7)
    with pytest.raises(ValueError, match="num_classes"):
        DualBranchHead(8, -1)
