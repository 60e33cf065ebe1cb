"""Backbones: images (B, 3, H, W) -> feature map (B, C, h, w)."""

from __future__ import annotations

from reidzoo.backbones.dual_branch import DualBranchResNet
from reidzoo.backbones.dual_branch_mobilenet_v2 import DualBranchMobileNetV2
from reidzoo.backbones.ibn import IBN
from reidzoo.backbones.jigsaw_vit import JigsawViT
from reidzoo.backbones.mobilenet_v2 import MobileNetV2
from reidzoo.backbones.multi_branch import MultiBranchResNet
from reidzoo.backbones.non_local import NonLocal
from reidzoo.backbones.osnet import OSNet
from reidzoo.backbones.resnet import ResNet
from reidzoo.backbones.semantic_swin import SemanticSwin
from reidzoo.backbones.timm_backbone import TimmBackbone
from reidzoo.backbones.torchvision_backbone import TorchvisionBackbone
from reidzoo.backbones.vgg import VGG

__all__ = [
    "IBN", "VGG", "DualBranchMobileNetV2", "DualBranchResNet", "JigsawViT", "MobileNetV2", "MultiBranchResNet",
    "NonLocal", "OSNet", "ResNet", "SemanticSwin", "TimmBackbone", "TorchvisionBackbone",
]  # fmt: skip
