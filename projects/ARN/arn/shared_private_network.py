"""ARN's network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from arn.fcn_encoder import FCNEncoder
from arn.feature_decoder import FeatureDecoder
from arn.image_decoder import ImageDecoder
from reidzoo.checks import FLAG, WIDTH, check, each, either, one_of, whole
from reidzoo.errors import ConfigError
from reidzoo.heads.pooling import AvgPool
from reidzoo.models import Embedder
from reidzoo.registry import BACKBONE, HEAD, MODEL

__all__ = ["SharedPrivateNetwork"]


@MODEL.register_module()
class SharedPrivateNetwork(Embedder):
    """Encoders E_I, E_C, E_S and E_T, decoder and classifier (Li et al., CVPRW 2018, Fig. 2), by these names:

    ``backbone`` is E_I, ``shared`` E_C, ``private.source`` E_S, ``private.target`` E_T, ``decoder`` D_C, and ``head``
    pools E_C's map to the feature e_c and classifies it, C_S. Retrieval takes e_c (Fig. 3).

    Args:
        backbone, head, num_classes: as for ``Embedder``; the head's input is what E_C returns.
        encoder: ``fcn``, three convolutions each (the paper, ``FCNEncoder``), or ``layer4``, each a copy of the
            backbone's last layer, before which E_I then ends (the authors' code).
        reconstruct: ``feature``, E_I's map (the paper, ``FeatureDecoder``), or ``image`` (the code, ``ImageDecoder``).
        private: False leaves E_S and E_T out; the decoder then has e_c alone.
        features: D of e_c and of e_p; with ``layer4`` they are the layer's.
        width, kernels, strides: of the encoders with ``fcn``, and of the decoder of features. By default a map of
            7 x 7 becomes 3 x 3, then 1 x 1.
        image_widths: of the decoder of images.

    Attributes:
        training_only: patterns of the weights that ``embed`` does not take, which a model file leaves out.

    Raises:
        ConfigError: an option that is not listed, or a backbone without a ``layer4`` where it is to be copied.
    """

    training_only = ("private.*", "decoder.*")

    def __init__(
        self,
        backbone: Mapping[str, Any],
        head: Mapping[str, Any],
        num_classes: int = 0,
        encoder: str = "fcn",
        reconstruct: str = "feature",
        private: bool = True,
        features: int = 2048,
        width: int = 512,
        kernels: Sequence = (3, 3, 1),
        strides: Sequence = (2, 2, 1),
        image_widths: Sequence[int] = (1024, 512, 256, 64, 3),
    ) -> None:
        check(self, one_of("fcn", "layer4"), encoder=encoder)
        check(self, one_of("feature", "image"), reconstruct=reconstruct)
        check(self, FLAG, private=private)
        check(self, WIDTH, features=features, width=width)
        check(self, each(either(whole(1, 16), each(whole(1, 16), 2)), 3), kernels=kernels, strides=strides)
        check(self, each(WIDTH, least=1), image_widths=image_widths)
        if image_widths[-1] != 3:
            raise ConfigError(f"SharedPrivateNetwork: image_widths must end with 3, got {list(image_widths)}")
        nn.Module.__init__(self)
        self.reconstruct = reconstruct
        self.backbone = BACKBONE.build(backbone)
        if encoder == "layer4":
            features = self.backbone.out_channels
            make: Callable[[], nn.Module] = partial(copy.deepcopy, _cut_layer4(self.backbone))
        else:
            make = partial(FCNEncoder, self.backbone.out_channels, features, width, kernels, strides)
        self.shared = make()
        self.private = nn.ModuleDict({"source": make(), "target": make()}) if private else None
        self.decoder: ImageDecoder | FeatureDecoder
        if reconstruct == "image":
            self.decoder = ImageDecoder(features, image_widths)
        else:
            codes = 2 * features if private else features
            self.decoder = FeatureDecoder(codes, self.backbone.out_channels, width, kernels, strides)
        self.head = HEAD.build(head, in_channels=features, num_classes=num_classes)
        self.pooling = AvgPool()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return what the head returns for images (B, 3, H, W): ``feat`` and ``embedding`` (B, D), both e_c.

        In training the first half of the images must be the source's, the second the target's. Then there are also
        ``logits`` (B, num_classes), ``rebuilt`` and ``original``, which are maps or images, and with private encoders
        ``private`` (B, D), e_p. The original is without gradient, or E_I would learn to be easy to rebuild.
        """
        maps = self.backbone(images)
        shared = self.shared(maps)
        outputs = self.head(shared)
        if self.training:
            private = None
            if self.private is not None:
                halves = zip(self.private.values(), maps.chunk(2), strict=True)
                private = torch.cat([encoder(half) for encoder, half in halves])
                outputs["private"] = self.pooling(private)
            original = images if self.reconstruct == "image" else maps.detach()
            outputs |= {"original": original, "rebuilt": self.decoder(shared, private, original)}
        return outputs

    def embed(self, images: Tensor) -> Tensor:
        """Return e_c (B, D), L2-normalised, float32; the mode of the module is not touched, see ``Embedder.embed``."""
        return functional.normalize(self.head(self.shared(self.backbone(images)))["embedding"].float(), dim=1)


def _cut_layer4(backbone: nn.Module) -> nn.Module:
    """Take the last layer off a ResNet, and return it."""
    layer = getattr(backbone, "layer4", None)
    if layer is None:
        raise ConfigError(
            f"MODEL: encoder: layer4 needs a BACKBONE with a layer4, such as ResNet; {type(backbone).__name__} has none"
        )
    backbone.layer4 = nn.Identity()
    backbone.out_channels = layer[0].conv1.in_channels
    return layer
