"""Embedder: composition, embedding, classifier."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.models.embedder import Embedder
from reidzoo.registry import MODEL

BACKBONE = {"type": "ResNet", "depth": 18, "width": 8}


def test_it_composes():
    model = MODEL.build({"type": "Embedder", "backbone": BACKBONE, "head": {"type": "BNNeck"}, "num_classes": 5})
    outputs = model(torch.randn(3, 3, 64, 32))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "feat": (3, 64),
        "embedding": (3, 64),
        "logits": (3, 5),
    }
    assert model.num_classes == 5 and model.embedding_dim == 64
    assert {name.partition(".")[0] for name in model.state_dict()} == {"backbone", "head"}


def test_embed_is_normalised_and_keeps_the_mode():
    model = Embedder(BACKBONE, {"type": "BNNeck"}, 5).eval()
    images = torch.randn(3, 3, 64, 32)
    embedding = model.embed(images)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))
    expected = model(images)["embedding"]
    torch.testing.assert_close(embedding, expected / expected.norm(dim=1, keepdim=True))
    assert not model.training


def test_embed_is_float32_under_autocast():
    model = Embedder({"type": "OSNet", "width": 0.25}, {"type": "LinearHead"}).eval()
    with torch.autocast("cpu", torch.bfloat16):
        embedding = model.embed(torch.randn(2, 3, 64, 32))
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_reset_classifier_passes_through():
    model = Embedder(BACKBONE, {"type": "BNNeck"}, 5)
    model.reset_classifier(2, torch.ones(2, 64))
    assert model.num_classes == 2
    torch.testing.assert_close(model.head.classifier.weight.norm(dim=1), torch.ones(2))


def test_wrong_nodes_are_config_errors():
    with pytest.raises(ConfigError, match="Did you mean ResNet"):
        Embedder({"type": "ResNett"}, {"type": "BNNeck"})
    with pytest.raises(ConfigError, match="cannot take these arguments"):
        Embedder(BACKBONE, {"type": "BNNeck", "poling": "avg"})
