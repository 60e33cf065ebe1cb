from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from arn import FCNEncoder, FeatureDecoder, ImageDecoder

from reidzoo.backbones import ResNet
from reidzoo.errors import ConfigError
from reidzoo.registry import MODEL

BACKBONE = {"type": "ResNet", "depth": 18, "width": 4}
SMALL = {"features": 16, "width": 8, "image_widths": [8, 6, 4, 4, 3]}


def network(num_classes=5, backbone=BACKBONE, **arguments):
    node = {"type": "SharedPrivateNetwork", **SMALL, **arguments}
    head = {"type": "LinearHead", "dropout": 0.0}
    return MODEL.build(node, backbone=backbone, head=head, num_classes=num_classes)


def test_the_papers_network():
    model = network(features=2048, backbone={"type": "ResNet", "depth": 50, "width": 64}, num_classes=702)
    maps = torch.randn(4, 2048, 7, 7)
    assert model.backbone.out_channels == 2048
    assert all(isinstance(part, FCNEncoder) for part in (model.shared, *model.private.values()))
    assert model.shared(maps).shape == (4, 2048, 1, 1) and model.embedding_dim == 2048
    assert isinstance(model.decoder, FeatureDecoder) and model.decoder[0].in_channels == 4096
    assert model.head.classifier.weight.shape == (702, 2048)


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("reconstruct", ["feature", "image"])
@pytest.mark.parametrize("encoder", ["fcn", "layer4"])
def test_a_training_pass(encoder, reconstruct, private):
    model, images = network(encoder=encoder, reconstruct=reconstruct, private=private), torch.randn(8, 3, 64, 32)
    outputs = model(images)
    dim = 32 if encoder == "layer4" else 16
    assert outputs["feat"].shape == outputs["embedding"].shape == (8, dim) == (8, model.embedding_dim)
    assert outputs["logits"].shape == (8, 5)
    assert outputs["rebuilt"].shape == outputs["original"].shape and not outputs["original"].requires_grad
    assert ("private" in outputs) == private and (not private or outputs["private"].shape == (8, dim))
    if reconstruct == "image":
        assert torch.equal(outputs["original"], images) and isinstance(model.decoder, ImageDecoder)


def test_each_domain_has_its_private_encoder_and_both_share_the_rest():
    model, images = network(), torch.randn(8, 3, 64, 32)
    for norm in model.modules():  # so that no image depends on the others
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.eval()
    outputs, maps = model(images), model.backbone(images)
    for name, half in (("source", slice(0, 4)), ("target", slice(4, 8))):
        torch.testing.assert_close(outputs["private"][half], model.private[name](maps[half]).flatten(1))
    shared, private = outputs["feat"], outputs["private"]
    torch.testing.assert_close(shared, model.shared(maps).flatten(1))
    codes = [rows[:, :, None, None] for rows in (shared, private)]
    torch.testing.assert_close(outputs["rebuilt"], model.decoder(*codes, maps))
    torch.testing.assert_close(outputs["original"], maps)


def test_retrieval_takes_the_shared_feature_alone():
    model, images = network(), torch.randn(4, 3, 64, 32)
    model.eval()
    outputs = model(images)
    assert set(outputs) == {"feat", "embedding"}
    embedding = model.embed(images)
    torch.testing.assert_close(embedding, F.normalize(model.shared(model.backbone(images)).flatten(1)))
    for part in (*model.private.values(), model.decoder):
        for parameter in part.parameters():
            parameter.data.fill_(torch.nan)
    assert torch.equal(model.embed(images), embedding)
    assert model.embed(images).dtype == torch.float32
    model.train()
    assert model.embed(images).shape == (4, 16) and model.training


def test_the_original_does_not_learn_to_be_rebuilt():
    """With a gradient on the original, E_I could lower Eq. 3 by shrinking its map, whatever the codes hold."""
    model = network()
    outputs = model(torch.randn(8, 3, 64, 32))
    loss = (outputs["rebuilt"].detach() - outputs["original"]).square().mean()
    assert not loss.requires_grad
    loss = (outputs["rebuilt"] - outputs["original"]).square().mean()
    assert torch.autograd.grad(loss, model.backbone.conv1.weight)[0].abs().sum() > 0  # through the codes


def test_layer_4_is_taken_off_and_copied():
    plain = ResNet(18, width=4)
    model = network(encoder="layer4")
    assert not list(model.backbone.layer4.parameters()) and model.backbone.out_channels == 16
    states = [part.state_dict() for part in (model.shared, *model.private.values())]
    assert states[0].keys() == plain.layer4.state_dict().keys()
    for key, value in states[0].items():
        assert all(torch.equal(state[key], value) for state in states[1:])
    model.shared[0].conv1.weight.data.zero_()
    assert model.private["source"][0].conv1.weight.any()


def test_layer_4_starts_from_the_pretrained_one(tmp_path):
    plain = ResNet(18, width=4)
    torch.save(plain.state_dict(), tmp_path / "weights.pth")
    model = network(encoder="layer4", backbone={**BACKBONE, "pretrained": str(tmp_path / "weights.pth")})
    for part in (model.shared, *model.private.values()):
        assert torch.equal(part[0].conv1.weight, plain.layer4[0].conv1.weight)
    model.eval()
    images = torch.randn(2, 3, 64, 32)
    torch.testing.assert_close(model.embed(images), F.normalize(plain.eval()(images).mean((2, 3))))


@pytest.mark.parametrize("arguments, said", [
    ({"encoder": "resnet"}, "encoder must be one of fcn, layer4"),
    ({"reconstruct": "pixels"}, "reconstruct must be one of feature, image"),
    ({"encoder": "layer4", "backbone": {"type": "OSNet", "width": 0.25}}, "OSNet has none"),
])  # fmt: skip
def test_mistakes_are_named(arguments, said):
    with pytest.raises(ConfigError) as caught:
        network(**arguments)
    assert said in str(caught.value)
