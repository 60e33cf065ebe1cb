from __future__ import annotations

import torch
import torch.nn.functional as F

from reidzoo.registry import HEAD


def head(ecn, **arguments):
    torch.manual_seed(0)
    return HEAD.build({"type": "TwoPathHead", "features": 32, **arguments}, in_channels=6, num_classes=5)


def test_the_two_paths_equal_their_definitions(ecn):
    paths = head(ecn, dropout=0.0, target_dropout=0.0)
    maps = torch.randn(8, 6, 4, 2)
    outputs = paths(maps)
    pooled = maps.mean((2, 3))
    feat = pooled @ paths.fc.weight.t() + paths.fc.bias
    feat = (feat - feat.mean(0)) / (feat.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(outputs["embedding"], pooled)
    torch.testing.assert_close(outputs["feat"], feat, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(outputs["exemplar"], F.normalize(feat, dim=1), rtol=1e-4, atol=1e-4)
    logits = feat.clamp(min=0) @ paths.classifier.weight.t() + paths.classifier.bias
    torch.testing.assert_close(outputs["logits"], logits, rtol=1e-4, atol=1e-4)


def test_dropout_comes_after_the_norm(ecn):
    outputs = head(ecn)(torch.randn(400, 6, 1, 1))
    norms = outputs["exemplar"].square().sum(1)
    assert abs(norms.mean().item() - 2) < 0.1  # half of the coordinates, twice as large
    assert abs((outputs["exemplar"] == 0).float().mean().item() - 0.5) < 0.05
    assert (outputs["exemplar"] < 0).any()  # no ReLU


def test_evaluation_gives_what_is_pooled(ecn):
    paths = head(ecn).eval()
    outputs = paths(torch.ones(2, 6, 3, 3))
    assert set(outputs) == {"feat", "embedding"} and torch.equal(outputs["embedding"], torch.ones(2, 6))
    assert (paths.embedding_dim, paths.exemplar_dim, paths.num_classes) == (6, 32, 5)


def test_initial_weights(ecn):
    paths = HEAD.build({"type": "TwoPathHead"}, in_channels=256, num_classes=700)
    assert paths.fc.weight.shape == (4096, 256)
    assert abs(paths.fc.weight.std().item() / (2 / 4096) ** 0.5 - 1) < 0.02 and not paths.fc.bias.any()
    assert abs(paths.classifier.weight.std().item() / 0.001 - 1) < 0.02 and not paths.classifier.bias.any()


def test_reset_classifier(ecn):
    paths = head(ecn)
    paths.reset_classifier(3)
    assert paths(torch.randn(4, 6, 1, 1))["logits"].shape == (4, 3) and paths.num_classes == 3
    paths.reset_classifier(0)
    assert "logits" not in paths(torch.randn(4, 6, 1, 1))


def test_half_precision_is_normalised_in_float32(ecn):
    with torch.autocast("cpu", torch.bfloat16):
        outputs = head(ecn, target_dropout=0.0)(torch.randn(8, 6, 2, 2))
    assert outputs["exemplar"].dtype == torch.float32
    torch.testing.assert_close(outputs["exemplar"].norm(dim=1), torch.ones(8))
