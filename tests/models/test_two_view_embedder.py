from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.models import TwoViewEmbedder
from reidzoo.registry import MODEL

NARROW, OTHER = ({"type": "ResNet", "depth": 18, "width": 8, "ibn": ibn} for ibn in ("none", "a"))
HEAD = {"type": "LinearHead"}


def test_two_networks_without_common_weights():
    node = {"type": "TwoViewEmbedder", "gallery_backbone": OTHER}
    model = MODEL.build(node, backbone=NARROW, head=HEAD, num_classes=5)
    outputs = model(torch.randn(3, 3, 64, 32))
    names = ("feat", "embedding", "logits")
    assert set(outputs) == {*names, *(f"gallery_{name}" for name in names)}
    assert outputs["logits"].shape == outputs["gallery_logits"].shape == (3, 5)
    assert (model.num_classes, model.embedding_dim) == (5, 64)
    assert (model.query.backbone.ibn, model.gallery.backbone.ibn) == ("none", "a")
    assert {name.partition(".")[0] for name in model.state_dict()} == {"query", "gallery"}


@pytest.mark.parametrize("normalise", [True, False])
def test_each_side_has_its_own_embedding(normalise):
    model = TwoViewEmbedder(NARROW, HEAD, normalise=normalise).eval()
    images = torch.randn(3, 3, 64, 32)
    for embed, network in ((model.embed_query, model.query), (model.embed_gallery, model.gallery)):
        expected = network.embed(images) if normalise else network(images)["embedding"]
        torch.testing.assert_close(embed(images), expected)
    assert not torch.allclose(model.embed_query(images), model.embed_gallery(images))
    torch.testing.assert_close(model.embed(images), model.query.embed(images))


def test_reset_classifier_reaches_both():
    model = TwoViewEmbedder(NARROW, HEAD, 5)
    model.reset_classifier(2)
    assert model.num_classes == model.gallery.num_classes == 2


def test_dimensions_must_be_equal():
    with pytest.raises(ConfigError, match="into 64 dimensions, the gallery's into 128"):
        TwoViewEmbedder(NARROW, HEAD, gallery_backbone={**NARROW, "width": 16})
    head = {**HEAD, "embedding_dim": 32}
    assert TwoViewEmbedder(NARROW, head, gallery_backbone={**NARROW, "width": 16}).embedding_dim == 32
    wide = TwoViewEmbedder({**NARROW, "width": 4}, HEAD, gallery_head=head, gallery_backbone=NARROW)
    assert wide.query.head.fc is None and wide.gallery.head.fc is not None
