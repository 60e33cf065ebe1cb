"""VGG-16 and VGG-M: the convolutional layers, as D-Net and M-Net of view adaptation."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from reidzoo.checks import FLAG, WEIGHTS, check, one_of, whole
from reidzoo.errors import WeightsError
from reidzoo.registry import BACKBONE
from reidzoo.weights.imagenet import load_pretrained

__all__ = ["VGG"]

logger = logging.getLogger("reidzoo")

VGG_16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")
VGG_M = ((96, 7, 2, 0), "norm", "pool", (256, 5, 2, 1), "norm", "pool", (512, 3, 1, 1), (512, 3, 1, 1),
         (512, 3, 1, 1), "pool")  # fmt: skip
"""(channels, kernel, stride, padding) of the convolutions."""
VGG_M_FILE = "vggm-786f2434.pth"
VGG_M_URL = f"http://data.lip6.fr/cadene/pretrainedmodels/{VGG_M_FILE}"
VGG_M_INPUTS = {
    "listed": ("bgr", (123.68, 116.779, 103.939)),
    "bgr": ("bgr", (103.939, 116.779, 123.68)),
    "rgb": ("rgb", (123.68, 116.779, 103.939)),
}
"""What its file may have been trained on: the order of the colours, and their means in 0..255 in this order."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@BACKBONE.register_module()
class VGG(nn.Module):
    """VGG without its fully connected layers.

    ``vgg_16`` is configuration D of Simonyan and Zisserman (ICLR 2015), with torchvision's names. ``vgg_m`` is the
    medium network of Chatfield et al. (BMVC 2014): larger strides at first, local response normalisation, five
    convolutions; its names are those of its published PyTorch weights, ``features.{0,4,8,10,12}``.

    Args:
        net: ``vgg_16`` or ``vgg_m``.
        width: 64 in the papers; even, 2 to 1024. 16 is a quarter of every layer, small enough for a CPU.
        batch_norm: batch norm after each convolution, in ``vgg_m`` in place of the response normalisation; without it a
            network as deep as VGG-16 hardly trains from random weights.
        pretrained: "" for random weights (Kaiming normal, fan out); "imagenet" for torchvision's ``IMAGENET1K_V1``, or
            the published weights of VGG-M; or the path of a file with this backbone's names, or of a run's checkpoint.
            VGG-M's were trained on colours from 0 to 255: its first convolution is rewritten so that it takes what the
            others take, which is exact since that layer pads nothing.
        vgg_m_input: what the published weights of VGG-M take. ``listed``, as their publisher lists it: blue, green,
            red, less the mean in the order of red, green, blue, which may be a slip. ``bgr`` has the mean in the
            colours' own order, as other conversions of VGGs; ``rgb`` is what the first release may have been. The
            publisher calls the file unusable (issue 52 of Cadene/pretrained-models.pytorch), and a warning says so.

    Attributes:
        out_channels: ``8 * width``.

    Raises:
        ConfigError: an option has a value that is not listed.
        WeightsError: ``pretrained`` names weights that do not exist for this shape, cannot be had, or do not fit.
    """

    def __init__(
        self,
        net: str = "vgg_16",
        width: int = 64,
        batch_norm: bool = False,
        pretrained: str = "",
        vgg_m_input: str = "listed",
    ) -> None:
        super().__init__()
        check(self, one_of("vgg_16", "vgg_m"), net=net)
        check(self, whole(2, 1024, multiple_of=2), width=width)
        check(self, FLAG, batch_norm=batch_norm)
        check(self, WEIGHTS, pretrained=pretrained)
        check(self, one_of(*VGG_M_INPUTS), vgg_m_input=vgg_m_input)
        self.net, self.width, self.batch_norm = net, width, batch_norm
        layers = _vgg_16(width, batch_norm) if net == "vgg_16" else _vgg_m(width, batch_norm)
        self.features = nn.Sequential(*layers)
        self.out_channels = 8 * width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if pretrained:
            load_pretrained(self, self._source(pretrained), _without_classifier)
        if pretrained == "imagenet" and net == "vgg_m":
            logger.warning(
                "VGG-M's published weights are known to give bad results, and which colours they take is not known: "
                "compare vgg_m_input listed, bgr and rgb by the training loss, or take net: vgg_16"
            )
            weight, bias = self.features[0].parameters()
            _take_normalised_rgb(weight, bias, *VGG_M_INPUTS[vgg_m_input])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature map after the last pooling.

        Args:
            images: (B, 3, H, W) float, normalised with ImageNet's mean and standard deviation.

        Returns:
            (B, out_channels, h, w), 1/32 of the image's size, with ``vgg_m`` about 1/37 but at least 1 x 1.
        """
        return self.features(images)

    def _source(self, pretrained: str) -> str | tuple[str, str]:
        """Return the file's path, or the address and name of the published file that ``pretrained`` means."""
        if pretrained != "imagenet":
            return pretrained
        if self.width != 64 or (self.batch_norm and self.net == "vgg_m"):
            raise WeightsError(
                f"VGG: pretrained: imagenet needs width: 64 and, for vgg_m, batch_norm: false; this one has width: "
                f"{self.width} and batch_norm: {self.batch_norm}. Use pretrained: '' or the path of your own file."
            )
        if self.net == "vgg_m":
            return VGG_M_URL, VGG_M_FILE
        from torchvision.models import get_model_weights

        url = get_model_weights("vgg16_bn" if self.batch_norm else "vgg16").IMAGENET1K_V1.url
        return url, url.rsplit("/", 1)[-1]


class _MaxPool(nn.MaxPool2d):
    """Max pooling that also takes maps smaller than its kernel, as VGG-M's maps of small images are."""

    kernel_size: int

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C, h', w')."""
        kernel = tuple(min(self.kernel_size, side) for side in maps.shape[2:])
        return functional.max_pool2d(maps, kernel, self.stride, ceil_mode=self.ceil_mode)


def _vgg_16(width: int, batch_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for entry in VGG_16:
        if isinstance(entry, str):  # pool
            layers.append(nn.MaxPool2d(2, 2))
            continue
        out = entry * width // 64
        layers += [nn.Conv2d(channels, out, 3, padding=1), *([nn.BatchNorm2d(out)] if batch_norm else []), nn.ReLU()]
        channels = out
    return layers


def _vgg_m(width: int, batch_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for entry in VGG_M:
        if entry == "pool":
            layers.append(_MaxPool(3, 2, ceil_mode=True))
        elif isinstance(entry, str):  # norm
            # torch divides alpha by the size, as the network's authors do.
            layers += [] if batch_norm else [nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)]
        else:
            out = entry[0] * width // 64
            layers.append(nn.Conv2d(channels, out, *entry[1:]))
            layers += [*([nn.BatchNorm2d(out)] if batch_norm else []), nn.ReLU()]
            channels = out
    return layers


def _without_classifier(name: str) -> str | None:
    """Key map of torchvision's VGGs and of VGG-M's file: the same names, without the fully connected layers."""
    return None if name.startswith(("classifier.", "classif.")) else name


@torch.no_grad()
def _take_normalised_rgb(
    weight: nn.Parameter, bias: nn.Parameter, order: str = "bgr", means: Sequence[float] = VGG_M_INPUTS["listed"][1]
) -> None:
    """Rewrite a convolution of colours less ``means``, both in ``order``, to one of normalised (red, green, blue)."""
    turned, means = (weight.flip(1), means[::-1]) if order == "bgr" else (weight.clone(), means)
    mean, std = (torch.tensor(values).to(turned) for values in (MEAN, STD))
    offset = 255 * mean - torch.tensor(means).to(turned)
    bias.add_((turned * offset[None, :, None, None]).sum((1, 2, 3)))
    weight.copy_(turned * (255 * std)[None, :, None, None])
