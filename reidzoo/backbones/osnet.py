"""OSNet, OSNet-IBN and OSNet-AIN: omni-scale networks for person re-identification."""

from __future__ import annotations

import re
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

from reidzoo.checks import WEIGHTS, check, number, one_of
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import BACKBONE
from reidzoo.weights.imagenet import load_pretrained

__all__ = ["OSBlock", "OSNet", "map_torchreid"]

# Where instance norm stands in the six blocks (two in each of conv2, conv3, conv4): "none", "after" the addition as in
# IBN-b, or "inside" the residual branch. AIN's pattern was found by architecture search (TPAMI 2021, Fig. 5).
PATTERNS = {
    "bn": ("none",) * 6,
    "ibn": ("after", "after", "none", "none", "none", "none"),
    "ain": ("inside", "inside", "none", "inside", "inside", "none"),
}

# Google Drive ids of torchreid's ImageNet weights; these files carry no checksum.
IMAGENET_FILES = {
    ("bn", 1.0): ("osnet_x1_0_imagenet.pth", "1LaG1EJpHrxdAxKnSCJ_i0u-nbxSAeiFY"),
    ("bn", 0.75): ("osnet_x0_75_imagenet.pth", "1uwA9fElHOk3ZogwbeY5GkLI6QPTX70Hq"),
    ("bn", 0.5): ("osnet_x0_5_imagenet.pth", "16DGLbZukvVYgINws8u8deSaOqjybZ83i"),
    ("bn", 0.25): ("osnet_x0_25_imagenet.pth", "1rb8UN5ZzPKRc_xvtHlyDh-cSz88YX9hs"),
    ("ibn", 1.0): ("osnet_ibn_x1_0_imagenet.pth", "1sr90V6irlYYDd4_4ISU2iruoRG8J__6l"),
    ("ain", 1.0): ("osnet_ain_x1_0_imagenet.pth", "1-CaioD9NaqbHK_kzSMW8VE4_3KcsRjEo"),
    ("ain", 0.75): ("osnet_ain_x0_75_imagenet.pth", "1apy0hpsMypqstfencdH-jKIUEFOW4xoM"),
    ("ain", 0.5): ("osnet_ain_x0_5_imagenet.pth", "1KusKvEYyKGDTUBVRxRiz55G31wkihB6l"),
    ("ain", 0.25): ("osnet_ain_x0_25_imagenet.pth", "1SxQt2AvmEcgWNhaRb2xC4rP6ZwVDP0Wt"),
}


def _conv(
    in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, norm: str = "bn", relu: bool = True
) -> nn.Sequential:
    """Return convolution, norm ("bn", "in" or "none") and ReLU, under torchreid's names ``conv`` and ``bn``."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv"] = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    if norm == "bn":
        parts["bn"] = nn.BatchNorm2d(out_channels)
    elif norm == "in":
        parts["bn"] = nn.InstanceNorm2d(out_channels, affine=True)
    if relu:
        parts["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)


def _light_conv(channels: int) -> nn.Sequential:
    """Return the factorised 3x3 convolution: pointwise, then depthwise, then BN and ReLU (ICCV 2019, Fig. 3b)."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv1"] = nn.Conv2d(channels, channels, 1, bias=False)
    parts["conv2"] = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
    parts["bn"] = nn.BatchNorm2d(channels)
    parts["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)


def _stream(channels: int, scale: int) -> nn.Sequential:
    """Return ``scale`` factorised convolutions in a row, seeing (2 scale + 1) x (2 scale + 1)."""
    return nn.Sequential(OrderedDict(layers=nn.Sequential(*(_light_conv(channels) for _ in range(scale)))))


def _gate(channels: int) -> nn.Sequential:
    """Return the aggregation gate: pooling and a two-layer network with a sixteenth of the channels between."""
    hidden = max(channels // 16, 1)
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["pool"] = nn.AdaptiveAvgPool2d(1)
    parts["fc1"] = nn.Conv2d(channels, hidden, 1)
    parts["relu"] = nn.ReLU(inplace=True)
    parts["fc2"] = nn.Conv2d(hidden, channels, 1)
    parts["sigmoid"] = nn.Sigmoid()
    return nn.Sequential(parts)


class OSBlock(nn.Module):
    """Omni-scale residual block (Zhou et al., ICCV 2019, Eq. 3): y = x + conv3(sum_t G(x^t) * x^t), t = 1..4.

    x^t is the stream of ``t`` factorised 3x3 convolutions; one gate G is shared by all streams.

    Args:
        in_channels: channels of the input map.
        out_channels: channels of the output map, a multiple of 4.
        norm: instance norm "none"; "after" the addition; or "inside" the residual branch, there in place of the batch
            norm of ``conv3`` (OSNet-AIN).
    """

    def __init__(self, in_channels: int, out_channels: int, norm: str = "none") -> None:
        super().__init__()
        channels = out_channels // 4
        self.norm = norm
        self.conv1 = _conv(in_channels, channels)
        self.conv2 = nn.ModuleList(_stream(channels, scale) for scale in (1, 2, 3, 4))
        self.gate = _gate(channels)
        self.conv3 = _conv(channels, out_channels, norm="none" if norm == "inside" else "bn", relu=False)
        self.downsample = _conv(in_channels, out_channels, relu=False) if in_channels != out_channels else None
        self.IN = nn.InstanceNorm2d(out_channels, affine=True) if norm != "none" else None

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, h, w) -> (B, out_channels, h, w)."""
        reduced = self.conv1(maps)
        streams = [stream(reduced) for stream in self.conv2]
        residual = self.conv3(sum(self.gate(stream) * stream for stream in streams))
        if self.IN is not None and self.norm == "inside":
            residual = self.IN(residual)
        residual = residual + (maps if self.downsample is None else self.downsample(maps))
        if self.IN is not None and self.norm == "after":
            residual = self.IN(residual)
        return functional.relu(residual)


@BACKBONE.register_module()
class OSNet(nn.Module):
    """Omni-scale network (Zhou et al., ICCV 2019; -AIN: Zhou et al., TPAMI 2021, arXiv 1910.06827).

    Parameter names are those of torchreid's OSNet-AIN for all three norms; ``map_torchreid`` brings the names of its
    OSNet and OSNet-IBN to them. The paper's 512-d fully connected layer is not here, it belongs to the head:
    ``LinearHead(embedding_dim=512)`` is that layer, under the same name ``fc``.

    Args:
        width: multiplier of the channels (64, 256, 384, 512); published are 1.0, 0.75, 0.5 and 0.25.
        norm: "bn"; "ibn": instance norm in the stem and after the additions of conv2; "ain": in the stem and inside
            the residual of four of the six blocks.
        pretrained: "" for random weights (Kaiming normal, fan out); "imagenet" for torchreid's; or the path of a file.

    Attributes:
        out_channels: ``512 * width``.

    Raises:
        ConfigError: an option has a value that is not listed.
        WeightsError: ``pretrained`` names weights that do not exist for this shape, cannot be had, or do not fit.
    """

    def __init__(self, width: float = 1.0, norm: str = "bn", pretrained: str = "") -> None:
        super().__init__()
        check(self, one_of(*PATTERNS), norm=norm)
        check(self, number(above=0, most=4), width=width)
        check(self, WEIGHTS, pretrained=pretrained)
        # conv3's 384 channels are split by 4 and all numbers have to stay whole: 64 * width must be even.
        if not 64 * width >= 2 or (64 * width) % 2:
            raise ConfigError(f"OSNet: 64 x width must be an even whole number (0.25, 0.5, 0.75, 1.0), got {width!r}")
        self.width, self.norm = width, norm
        stem, two, three, four = (int(channels * width) for channels in (64, 256, 384, 512))
        blocks = PATTERNS[norm]
        self.conv1 = _conv(3, stem, 7, 2, norm="bn" if norm == "bn" else "in")
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.conv2 = nn.Sequential(OSBlock(stem, two, blocks[0]), OSBlock(two, two, blocks[1]))
        self.pool2 = nn.Sequential(_conv(two, two), nn.AvgPool2d(2, 2))
        self.conv3 = nn.Sequential(OSBlock(two, three, blocks[2]), OSBlock(three, three, blocks[3]))
        self.pool3 = nn.Sequential(_conv(three, three), nn.AvgPool2d(2, 2))
        self.conv4 = nn.Sequential(OSBlock(three, four, blocks[4]), OSBlock(four, four, blocks[5]))
        self.conv5 = _conv(four, four)
        self.out_channels = four
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if pretrained:
            load_pretrained(self, self._source(pretrained), map_torchreid)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature map after conv5.

        Args:
            images: (B, 3, H, W) float, normalised with ImageNet's mean and standard deviation.

        Returns:
            (B, out_channels, H / 16, W / 16).
        """
        maps = self.conv2(self.maxpool(self.conv1(images)))
        maps = self.conv3(self.pool2(maps))
        return self.conv5(self.conv4(self.pool3(maps)))

    def _source(self, pretrained: str) -> str | tuple[str, str]:
        """Return the file's path, or the address and name of torchreid's file for this shape."""
        if pretrained != "imagenet":
            return pretrained
        if (self.norm, self.width) not in IMAGENET_FILES:
            known = ", ".join(f"{norm} {width}" for norm, width in IMAGENET_FILES)
            raise WeightsError(
                f"OSNet: no ImageNet weights are published for norm: {self.norm} with width: {self.width}. "
                f"There are: {known}. Use pretrained: '' or the path of your own file."
            )
        name, drive_id = IMAGENET_FILES[self.norm, self.width]
        return f"gdrive:{drive_id}", name


def map_torchreid(name: str) -> str | None:
    """Return our name of one of torchreid's OSNet parameters, None for ``fc`` and ``classifier``.

    torchreid names the streams ``conv2a`` .. ``conv2d`` and puts the transition layers into ``conv2.2`` and ``conv3.2``
    in OSNet and OSNet-IBN; in OSNet-AIN they are ``conv2.0`` .. ``conv2.3``, ``pool2`` and ``pool3``, as here.
    """
    if name.startswith(("fc.", "classifier.")):
        return None
    name = re.sub(r"^conv([23])\.2\.0\.", r"pool\1.0.", name)
    name = re.sub(r"\.conv2a\.", ".conv2.0.layers.0.", name)
    return re.sub(r"\.conv2([bcd])\.(\d)\.", lambda match: f".conv2.{'abcd'.index(match[1])}.layers.{match[2]}.", name)
