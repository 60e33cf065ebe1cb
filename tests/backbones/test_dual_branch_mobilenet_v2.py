from __future__ import annotations

import torch

from reidzoo.backbones import DualBranchMobileNetV2, MobileNetV2


def test_both_branches_start_as_one_network_and_part(tmp_path):
    one = MobileNetV2(width=0.1, last_stride=1).eval()
    torch.save(one.state_dict(), tmp_path / "weights.pth")
    two = DualBranchMobileNetV2(width=0.1, pretrained=str(tmp_path / "weights.pth")).eval()
    images = torch.randn(2, 3, 64, 32)
    maps = two(images)
    assert maps.shape == (2, two.out_channels, 4, 2) and two.out_channels == 2 * one.out_channels
    for branch in maps.chunk(2, dim=1):
        torch.testing.assert_close(branch, one(images))
    two.features_global[-1][0].weight.data.mul_(2)
    whole, local = two(images).chunk(2, dim=1)
    torch.testing.assert_close(local, one(images))
    assert not torch.allclose(whole, local)


def test_all_that_comes_before_the_sixth_stage_is_shared():
    two = DualBranchMobileNetV2(width=0.1)
    shared = sum(p.numel() for layer in two.features[:14] for p in layer.parameters())
    own = sum(p.numel() for layer in two.features[14:] for p in layer.parameters())
    assert sum(p.numel() for p in two.parameters()) == shared + 2 * own
