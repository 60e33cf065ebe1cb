"""The model of a backbone and a head, as most papers have it."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from reidzoo.errors import ConfigError
from reidzoo.registry import BACKBONE, HEAD, MODEL

__all__ = ["Embedder"]


@MODEL.register_module()
class Embedder(nn.Module):
    """A backbone and a head: images -> feature map -> what the losses and the retrieval need.

    Args:
        backbone: node of a ``BACKBONE``: ``type`` and its arguments.
        head: node of a ``HEAD``: ``type`` and its arguments, without ``in_channels`` and ``num_classes``.
        num_classes: identities that the head tells apart; 0 for none (evaluation, memories).

    Attributes:
        num_classes: the present number, which ``reset_classifier`` changes.

    Raises:
        ConfigError: a node is wrong, or its part lacks what its registry's contract asks for.
    """

    def __init__(self, backbone: Mapping[str, Any], head: Mapping[str, Any], num_classes: int = 0) -> None:
        super().__init__()
        self.backbone = _checked("BACKBONE", BACKBONE.build(backbone), "out_channels", "C of its feature map")
        built = HEAD.build(head, in_channels=int(self.backbone.out_channels), num_classes=num_classes)
        self.head = _checked("HEAD", built, "embedding_dim", "D of its embedding")
        self.num_classes = num_classes
        _check_classifier(self.head, num_classes)
        _check_maps(self.backbone, self.head)

    @property
    def embedding_dim(self) -> int:
        """D of the embedding."""
        return int(self.head.embedding_dim)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the head's dict for images (B, 3, H, W): ``feat``, ``embedding``, in training also ``logits``."""
        return self._outputs(images)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Return the L2-normalised embedding (B, D), float32, of images (B, 3, H, W).

        The mode of the module is not touched: call ``eval()`` before, or batch norm uses the batch's statistics.
        """
        return functional.normalize(self._outputs(images)["embedding"].float(), dim=1)

    def _outputs(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the head's dict.

        Raises:
            ConfigError: the head returns something else; the dry run finds it before the training.
        """
        outputs, dim = self.head(self.maps(images)), self.head.embedding_dim
        embedding = outputs.get("embedding") if isinstance(outputs, Mapping) else None
        if isinstance(embedding, torch.Tensor) and embedding.dim() == 2 and embedding.shape[1] == dim:
            return outputs
        found = f"a dict of {', '.join(outputs)}" if isinstance(outputs, Mapping) else f"a {type(outputs).__name__}"
        if isinstance(embedding, torch.Tensor):
            found = f"an embedding {tuple(embedding.shape)}"
        raise ConfigError(
            f"HEAD: {type(self.head).__name__} returned {found} for {len(images)} images; a HEAD returns a dict of "
            f"tensors: feat (B, D') for metric losses, embedding (B, embedding_dim), which here is ({len(images)}, "
            f"{dim}), and logits while training"
        )

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Return the backbone's feature map (B, out_channels, h, w) of images (B, 3, H, W).

        Raises:
            ConfigError: the backbone returns something else; the dry run finds it before the training.
        """
        maps = self.backbone(images)
        shape = tuple(maps.shape) if isinstance(maps, torch.Tensor) else ()
        batch = images.shape[0]  # not len(images), which fixes the batch's size in an exported graph
        if len(shape) != 4 or shape[:2] != (batch, self.backbone.out_channels):
            found = f"a tensor {shape}" if shape else f"a {type(maps).__name__}"
            raise ConfigError(
                f"BACKBONE: {type(self.backbone).__name__} returned {found} for images {tuple(images.shape)}; a "
                f"BACKBONE returns a feature map (B, out_channels, h, w), which here is ({batch}, "
                f"{self.backbone.out_channels}, h, w)"
            )
        return maps

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Give the head a new classifier, see ``BNNeck.reset_classifier``; optimizers have to be told its parameters.

        Raises:
            ConfigError: the head cannot change its classifier, or not begin with class means.
        """
        if not hasattr(self.head, "reset_classifier"):
            raise ConfigError(
                f"HEAD: {type(self.head).__name__} has no reset_classifier(num_classes, centroids=None), which a HEAD "
                f"needs where pseudo labels change the identities"
            )
        try:
            self.head.reset_classifier(num_classes, centroids)
        except ValueError as error:
            if centroids is None:
                raise
            raise ConfigError(f"HEAD: {error}; set the classifier of PseudoLabelHook to random") from error
        self.num_classes = num_classes


def _checked(registry: str, part: Any, attribute: str, meaning: str) -> Any:
    """Return a part that is an ``nn.Module`` with the whole number ``attribute``; raise ConfigError for another."""
    name = type(part).__name__
    if not isinstance(part, nn.Module):
        raise ConfigError(f"{registry}: {name} is not an nn.Module, as a {registry} has to be")
    if not isinstance(getattr(part, attribute, None), Integral):
        library = type(part).__module__.partition(".")[0]
        hint = {"timm": "; name timm's networks by TimmBackbone", "torchvision": "; see TorchvisionBackbone"}
        raise ConfigError(
            f"{registry}: {name} has no whole number {attribute}; a {registry} says there how large {meaning} is"
            f"{hint.get(library, '')}"
        )
    return part


def _check_classifier(head: nn.Module, num_classes: int) -> None:
    """Raise ConfigError for a head of several identities that keeps what depends on them under another name."""
    if not num_classes or hasattr(head, "classifier"):
        return
    rows = [name for name, weight in head.named_parameters() if weight.dim() == 2 and len(weight) == num_classes]
    hint = f"; {', '.join(rows)} has a row for each of {num_classes}" if rows else ""
    raise ConfigError(
        f"HEAD: {type(head).__name__} has no attribute classifier{hint}. A HEAD keeps there all the weights that "
        f"depend on the identities, None for num_classes=0: a trained model is loaded without them"
    )


def _check_maps(backbone: nn.Module, head: nn.Module) -> None:
    """Raise ConfigError for a head that takes the maps of several branches apart where the backbone has not so many."""
    there, wanted = getattr(backbone, "num_maps", 1), getattr(head, "num_maps", 1)
    if wanted in (1, there):
        return
    hint = "; with HEAD.one_map true all granularities take the same" if hasattr(head, "one_map") else ""
    raise ConfigError(
        f"HEAD: {type(head).__name__} takes {wanted} maps, one after the other along the channels, and BACKBONE "
        f"{type(backbone).__name__} returns {there}; take one of several branches, whose num_maps is {wanted}{hint}"
    )
