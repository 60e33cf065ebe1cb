"""ResNet-18/34/50/101 as re-identification uses it, with IBN-a, IBN-b, last stride and width."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from reidzoo.backbones.ibn import IBN
from reidzoo.backbones.non_local import NonLocal
from reidzoo.checks import FLAG, WEIGHTS, check, each, one_of, whole
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import BACKBONE
from reidzoo.weights.imagenet import load_pretrained
from reidzoo.weights.loading import map_torchvision

__all__ = ["BasicBlock", "Bottleneck", "ResNet"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., CVPR 2016); the block of ResNet-18 and 34.

    Args:
        in_channels: channels of the input map.
        channels: channels of both convolutions; the output has ``expansion * channels``.
        stride: stride of the first 3x3 convolution and of the shortcut.
        ibn: "none"; "a": ``IBN`` in place of the first norm; "b": instance norm after the addition.
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1, ibn: str = "none") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = IBN(channels) if ibn == "a" else nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.IN = nn.InstanceNorm2d(channels, affine=True) if ibn == "b" else None
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, channels, stride)
        self.non_local: NonLocal | None = None

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, h, w) -> (B, channels, h / stride, w / stride)."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.bn2(self.conv2(residual))
        return _add(self, residual, maps)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; the block of ResNet-50 and 101.

    The stride is on the 3x3 convolution, as in torchvision's weights ("ResNet v1.5").

    Args:
        in_channels: channels of the input map.
        channels: channels of the first two convolutions; the output has ``expansion * channels``.
        stride: stride of the 3x3 convolution and of the shortcut.
        ibn: as for ``BasicBlock``.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1, ibn: str = "none") -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = IBN(channels) if ibn == "a" else nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.IN = nn.InstanceNorm2d(out_channels, affine=True) if ibn == "b" else None
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride)
        self.non_local: NonLocal | None = None

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, h, w) -> (B, 4 channels, h / stride, w / stride)."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return _add(self, residual, maps)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """Return the projection of a shortcut whose ends differ in shape, else None."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


def _add(block: BasicBlock | Bottleneck, residual: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Add the shortcut, then IBN-b's instance norm, ReLU, and a non-local block, where the block has them."""
    residual = residual + (maps if block.downsample is None else block.downsample(maps))
    if block.IN is not None:
        residual = block.IN(residual)
    maps = block.relu(residual)
    return maps if block.non_local is None else block.non_local(maps)


LAYOUTS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}

IBN_NET_RELEASE = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/"
IBN_NET_FILES = {
    (18, "a"): "resnet18_ibn_a-2f571257.pth",
    (34, "a"): "resnet34_ibn_a-94bc1577.pth",
    (50, "a"): "resnet50_ibn_a-d9d0bb7b.pth",
    (101, "a"): "resnet101_ibn_a-59ea0ac6.pth",
    (18, "b"): "resnet18_ibn_b-bc2f3c11.pth",
    (34, "b"): "resnet34_ibn_b-04134c37.pth",
    (50, "b"): "resnet50_ibn_b-9ca61e85.pth",
    (101, "b"): "resnet101_ibn_b-c55f6dba.pth",
}


@BACKBONE.register_module()
class ResNet(nn.Module):
    """Residual network (He et al., CVPR 2016) with the options of re-identification.

    Parameter names are torchvision's, without ``fc``; with IBN they are IBN-Net's.

    Args:
        depth: 18, 34, 50 or 101.
        ibn: "none"; "a": in layers 1 to 3 the first norm of each block is ``IBN``; "b": instance norm in place of the
            stem's norm and after the addition of the last block of layers 1 and 2 (Pan et al., ECCV 2018).
        last_stride: stride of layer 4. 1 doubles the map to 1/16 of the image (Sun et al., ECCV 2018), 2 is ResNet's.
        width: channels of the stem, even, 2 to 1024: 64 in the paper; 16 is a quarter of every layer, for a CPU.
        pretrained: "" for random weights (Kaiming normal, fan out); "torchvision" for its ``IMAGENET1K_V1``, the
            weights the papers started from; "ibn_net" for IBN-Net's release v1.0; "imagenet" for the one of the two
            that fits ``ibn``; or the path of a file in either layout, or of a run's checkpoint, such as ``stage:NAME``;
            or ``zoo://NAME``.
        non_local: how many blocks at the end of each layer have a ``NonLocal`` block behind them; (0, 2, 3, 0) in AGW
            (Ye et al., TPAMI 2021) with depth 50. ``pretrained`` weights are without them.
        stem_relu: whether ReLU follows the stem's norm. MMT's published ResNet-50 has none.
        stem_pool: "padded", torchvision's max pooling; "ceil" pads on the right and the bottom only, as fastreid does
            since its version 0.3.

    Attributes:
        out_channels: ``8 * width`` for depths 18 and 34, ``32 * width`` for 50 and 101.

    Raises:
        ConfigError: an option has a value that is not listed.
        WeightsError: ``pretrained`` names weights that do not exist for this shape, cannot be had, or do not fit.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self,
        depth: int = 50,
        ibn: str = "none",
        last_stride: int = 2,
        width: int = 64,
        pretrained: str = "",
        non_local: Sequence[int] = (0, 0, 0, 0),
        stem_relu: bool = True,
        stem_pool: str = "padded",
    ) -> None:
        super().__init__()
        _check(depth, ibn, last_stride, width)
        _check_extras(depth, non_local, stem_pool)
        check(self, FLAG, stem_relu=stem_relu)
        check(self, WEIGHTS, pretrained=pretrained)
        self.depth, self.ibn, self.width = depth, ibn, width
        block, counts = LAYOUTS[depth]
        # By layer; "b" stands at the end of layers 1 and 2 only.
        norms = {"none": ("none",) * 4, "a": ("a", "a", "a", "none"), "b": ("b", "b", "none", "none")}[ibn]
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.InstanceNorm2d(width, affine=True) if ibn == "b" else nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True) if stem_relu else nn.Identity()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if stem_pool == "padded" else nn.MaxPool2d(3, 2, ceil_mode=True)
        channels = width
        for number, (count, stride, norm) in enumerate(zip(counts, (1, 2, 2, last_stride), norms)):
            layer = _layer(block, channels, width * 2**number, count, stride, norm)
            self.add_module(f"layer{number + 1}", layer)
            channels = width * 2**number * block.expansion
        self.out_channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if pretrained:
            load_pretrained(self, self._source(pretrained), map_torchvision)
        for number, (layer, count) in enumerate(zip((self.layer1, self.layer2, self.layer3, self.layer4), non_local)):
            for residual in layer[len(layer) - count :]:
                residual.non_local = NonLocal(width * 2**number * block.expansion)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature map after layer 4.

        Args:
            images: (B, 3, H, W) float, normalised with ImageNet's mean and standard deviation.

        Returns:
            (B, out_channels, H / 32, W / 32), with ``last_stride`` 1 (B, out_channels, H / 16, W / 16), rounded up.
        """
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(maps))))

    def _source(self, pretrained: str) -> str | tuple[str, str]:
        """Return the file's path, or the address and name of the published file that ``pretrained`` means."""
        if pretrained not in ("torchvision", "ibn_net", "imagenet"):
            return pretrained
        if self.width != 64:
            raise WeightsError(
                f"ResNet: pretrained: {pretrained} needs width: 64, this one has {self.width}; "
                f"no weights are published for other widths. Use pretrained: '' or the path of your own file."
            )
        if pretrained == "imagenet":
            pretrained = "torchvision" if self.ibn == "none" else "ibn_net"
        if (pretrained == "torchvision") != (self.ibn == "none"):
            raise WeightsError(
                f"ResNet: pretrained: {pretrained} has no weights for ibn: {self.ibn}; "
                f"torchvision's are for 'none', ibn_net's for 'a' and 'b'. pretrained: imagenet takes the right ones."
            )
        if pretrained == "ibn_net":
            name = IBN_NET_FILES[self.depth, self.ibn]
            return IBN_NET_RELEASE + name, name
        from torchvision.models import get_model_weights

        url = get_model_weights(f"resnet{self.depth}").IMAGENET1K_V1.url
        return url, url.rsplit("/", 1)[-1]


def _layer(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, channels: int, count: int, stride: int, ibn: str
) -> nn.Sequential:
    """Return ``count`` blocks; the first changes size, IBN-b's instance norm is in the last only."""
    blocks = []
    for number in range(count):
        norm = "none" if ibn == "b" and number < count - 1 else ibn
        blocks.append(block(in_channels, channels, stride if number == 0 else 1, norm))
        in_channels = channels * block.expansion
    return nn.Sequential(*blocks)


def _check(depth: int, ibn: str, last_stride: int, width: int) -> None:
    """Raise ConfigError for options that no ResNet here has."""
    check("ResNet", one_of(*LAYOUTS), depth=depth)
    check("ResNet", one_of("none", "a", "b"), ibn=ibn)
    check("ResNet", one_of(1, 2), last_stride=last_stride)
    check("ResNet", whole(2, 1024, multiple_of=2), width=width)


def _check_extras(depth: int, non_local: Sequence[int], stem_pool: str) -> None:
    """Raise ConfigError for numbers of non-local blocks, or a pooling, that no ResNet here has."""
    counts = LAYOUTS[depth][1]
    four = each(whole(0), 4)
    if not four.accepts(non_local) or not all(n <= most for n, most in zip(non_local, counts)):
        raise ConfigError(f"ResNet: non_local must be four whole numbers, at most {list(counts)}; got {non_local!r}")
    check("ResNet", one_of("padded", "ceil"), stem_pool=stem_pool)
