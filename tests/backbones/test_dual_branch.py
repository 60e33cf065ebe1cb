from __future__ import annotations

import pytest
import torch
import torchvision

from reidzoo.backbones import DualBranchResNet, ResNet
from reidzoo.heads import DualBranchHead
from reidzoo.models import Embedder
from reidzoo.registry import BACKBONE


def test_both_branches_start_alike_and_are_apart():
    torch.manual_seed(0)
    model = DualBranchResNet(18, width=4).eval()
    maps = model(torch.randn(2, 3, 64, 32))
    assert maps.shape == (2, model.out_channels, 4, 2) and model.out_channels == 64
    torch.testing.assert_close(maps[:, :32], maps[:, 32:])
    with torch.no_grad():
        model.layer4_global[0].conv1.weight.add_(1)
    moved = model(torch.randn(2, 3, 64, 32))
    assert not torch.allclose(moved[:, :32], moved[:, 32:])


def test_each_branch_is_the_resnets_map():
    torch.manual_seed(0)
    model, plain = DualBranchResNet(18, width=4, last_stride=2).eval(), ResNet(18, width=4).eval()
    shared = {name: value for name, value in model.state_dict().items() if not name.startswith("layer4_global")}
    plain.load_state_dict(shared)
    images = torch.randn(2, 3, 64, 32)
    torch.testing.assert_close(model(images)[:, 32:], plain(images))


def test_pretrained_weights_are_in_both(tmp_path):
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "weights.pth")
    model = DualBranchResNet(18, pretrained=str(tmp_path / "weights.pth"))
    for name, value in model.layer4.state_dict().items():
        assert torch.equal(model.layer4_global.state_dict()[name], value)


def test_sizes_of_the_paper():
    with torch.device("meta"):
        backbone = BACKBONE.build({"type": "DualBranchResNet"})
        maps = backbone(torch.zeros(1, 3, 384, 128))
        head = DualBranchHead(backbone.out_channels, 702)
    assert maps.shape == (1, 4096, 24, 8) and head.embedding_dim == 3072
    layer4 = sum(p.numel() for p in backbone.layer4.parameters())
    assert sum(p.numel() for p in backbone.parameters()) == 23_508_032 + layer4


@pytest.mark.parametrize("reduction", ["conv", "linear"])
def test_with_its_head_it_is_an_embedder(reduction):
    backbone = {"type": "DualBranchResNet", "depth": 18, "width": 4}
    model = Embedder(backbone, {"type": "DualBranchHead", "width": 8, "reduction": reduction}, num_classes=5)
    outputs = model(torch.randn(4, 3, 64, 32))
    assert outputs["logits"].shape == (4, 3, 5) and outputs["embedding"].shape == (4, model.embedding_dim) == (4, 24)
    assert model.eval().embed(torch.randn(2, 3, 64, 32)).norm(dim=1).tolist() == pytest.approx([1, 1])
