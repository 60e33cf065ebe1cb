"""The family of IBN-Net's ImageNet weights: ResNets with IBN-a or IBN-b."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse

__all__ = ["IBN_NET", "IMAGENET_NOTE", "imagenet_resnet"]

IMAGENET_NOTE = (
    "The original scales images to 256 pixels and cuts their middle of 224 x 224; here the whole image is resized to "
    "that size. It knows no identities: it is to start from."
)


def imagenet_resnet(state: Mapping[str, Tensor]) -> Layout:
    """Return the layout of a ResNet with ImageNet's classifier, under torchvision's or IBN-Net's names."""
    refuse(state, RESNET_REFUSED)
    convolutions = {name: tensor for name, tensor in state.items() if name.endswith(".conv2.weight")}
    grouped = next((name for name, t in convolutions.items() if t.dim() == 4 and t.shape[1] < len(t)), "")
    if grouped:
        raise WeightsError(f"the file's model has grouped convolutions ({grouped}), a ResNeXt; no backbone here has")
    names = map_prefixes(state, {"": "backbone.", "fc.": Dropped("ImageNet classifier")})
    return Layout(names, describe_resnet(names.values(), last_stride=2), {"type": "LinearHead"}, notes=[IMAGENET_NOTE])


def _ibn_net(state: Mapping[str, Tensor], _options: Mapping[str, str]) -> Layout:
    layout = imagenet_resnet(state)
    if layout.backbone["ibn"] == "none":
        raise WeightsError("the file has no instance norm, so it is not IBN-Net's; is it torchvision's?")
    return layout


IBN_NET = Family(
    name="ibn_net",
    title="IBN-Net's ImageNet weights: ResNet-18 to 101, IBN-a and IBN-b",
    repository="https://github.com/XingangPan/IBN-Net",
    licence="MIT",
    layout=_ibn_net,
    size=(224, 224),
    interpolation="bilinear",
)
