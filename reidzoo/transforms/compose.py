"""A pipeline of transforms, built from a configuration."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.draw import BatchDraw

__all__ = ["Compose"]

logger = logging.getLogger("reidzoo")


class Compose:
    """Applies named transforms in the order of the configuration.

    Args:
        nodes: the transforms by name, each ``{type: <a TRANSFORM>, <constructor arguments>}``.
        mean: of the model's input per channel, in units of 0..1. It and ``std`` go to every transform whose constructor
            has parameters of these names, unless its node sets them.
        std: likewise the standard deviation.

    Attributes:
        transforms: the transforms by name.

    Raises:
        ConfigError: a node cannot be built.
    """

    def __init__(self, nodes: Mapping[str, Mapping[str, Any]], mean: Sequence[float], std: Sequence[float]) -> None:
        self.transforms: dict[str, Any] = {}
        self._checked = False
        for name, node in nodes.items():
            defaults, node = {}, TRANSFORM.adapted(node)
            if isinstance(node, Mapping) and isinstance(node.get("type"), str):
                parameters = inspect.signature(TRANSFORM.get(node["type"])).parameters
                statistics = {"mean": mean, "std": std}
                defaults = {k: value for k, value in statistics.items() if k in parameters and k not in node}
            try:
                self.transforms[name] = TRANSFORM.build(node, **defaults)
                _check_call(self.transforms[name])
            except ConfigError as error:
                raise ConfigError(f"transform {name!r}: {error}") from None

    def out_size(self, size: Sequence[int]) -> tuple[int, int]:
        """Return the (height, width) that the transforms make of images of ``size``, as far as they say so."""
        height, width = size
        for transform in self.transforms.values():
            if hasattr(transform, "out_size"):
                height, width = transform.out_size((int(height), int(width)))
        return int(height), int(width)

    @torch.no_grad()
    def __call__(self, images: Tensor, draw: BatchDraw | None) -> Tensor:
        """Return the transformed batch, a float tensor; ``images`` (B, 3, H, W) uint8 is left as it is.

        Args:
            images: on any device.
            draw: the batch's random numbers; None for a pipeline that needs none, such as the test's.

        Raises:
            ConfigError: the pipeline does not end in floating-point images; at the first batch, a transform does not
                return a batch of as many images.
        """
        count, size = len(images), (images.shape[2], images.shape[3])
        for name, transform in self.transforms.items():
            images = transform(images, draw)
            if not self._checked:
                _check_images(name, transform, images, count)
        if not images.is_floating_point():
            names = ", ".join(self.transforms) or "none"
            raise ConfigError(f"INPUT.TRANSFORMS ({names}) leaves the images {images.dtype}; add {{type: Normalize}}")
        if not self._checked:
            self._check_size(size, (images.shape[2], images.shape[3]))
        return images

    def _check_size(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        """Warn once of a transform that resizes images and does not say so by ``out_size``."""
        self._checked, said = True, self.out_size(before)
        if after != said:
            logger.warning(
                "INPUT.TRANSFORMS make images of %d x %d into %d x %d, but models are tested at %d x %d: the transform "
                "that resizes them needs a method out_size(size) that returns their new height and width",
                *before, *after, *said,
            )  # fmt: skip


def _check_call(transform: Any) -> None:
    """Raise ConfigError unless a transform can be called with the images and the draw."""
    try:
        inspect.signature(transform).bind(None, None)
    except TypeError as error:
        raise ConfigError(
            f"{type(transform).__name__} cannot be called as a TRANSFORM is, with the images, a tensor (B, 3, H, W), "
            f"and the batch's random numbers: {error}. An own one has __call__(self, images, draw); torchvision's "
            f"are driven by {{type: TorchvisionTransform, transform: ...}}"
        ) from None


def _check_images(name: str, transform: Any, images: Any, count: int) -> None:
    """Raise ConfigError unless a transform returned a batch of ``count`` images."""
    if isinstance(images, Tensor) and images.dim() == 4 and images.shape[:2] == (count, 3):
        return
    found = f"a tensor {tuple(images.shape)}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
    raise ConfigError(
        f"transform {name!r}: {type(transform).__name__} returned {found}; a TRANSFORM returns the images alone, a "
        f"tensor (B, 3, H, W) of as many as it was given, here {count}"
    )
