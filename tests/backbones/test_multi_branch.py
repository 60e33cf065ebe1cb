from __future__ import annotations

import pytest
import torch

from reidzoo.backbones import MultiBranchResNet, ResNet
from reidzoo.errors import ConfigError
from reidzoo.models import Embedder
from reidzoo.registry import BACKBONE


@pytest.mark.parametrize("depth", [18, 50])
def test_each_branch_is_a_resnets_map(depth):
    torch.manual_seed(0)
    model = MultiBranchResNet(depth, width=4).eval()
    images = torch.randn(2, 3, 64, 32)
    coarse, *fine = model(images).chunk(3, 1)
    for stride, branch, maps in zip((2, 1, 1), model.branches, (coarse, *fine)):
        plain = ResNet(depth, width=4, last_stride=stride).eval()
        names = {name for name in plain.state_dict() if name.split(".")[0] not in ("layer3", "layer4")}
        state = {name: value for name, value in model.state_dict().items() if name in names}
        layer3 = {**model.layer3.state_dict(), **branch[0].state_dict()}
        state |= {f"layer3.{name}": value for name, value in layer3.items()}
        state |= {f"layer4.{name}": value for name, value in branch[1].state_dict().items()}
        plain.load_state_dict(state)
        wanted = plain(images)
        if stride == 2:
            wanted = wanted.repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(maps, wanted)


def test_sizes_of_the_paper():
    with torch.device("meta"):
        model = BACKBONE.build({"type": "MultiBranchResNet"})
        assert model(torch.zeros(1, 3, 384, 128)).shape == (1, model.out_channels, 24, 8) == (1, 6144, 24, 8)


def test_odd_maps_and_its_head():
    head = {"type": "MGNHead", "width": 4}
    model = Embedder({"type": "MultiBranchResNet", "depth": 18, "width": 4}, head, num_classes=5)
    outputs = model(torch.randn(4, 3, 72, 40))
    assert outputs["logits"].shape == (4, 8, 5) and outputs["embedding"].shape == (4, model.embedding_dim)


def test_one_branch_is_a_resnet():
    with pytest.raises(ConfigError, match="branches"):
        MultiBranchResNet(18, width=4, branches=1)
