"""A trained model as one graph: from the images that a program feeds to embeddings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.deployment.feed import Feed

__all__ = ["ImageNetwork", "resize_in_graph"]


class ImageNetwork(nn.Module):
    """The graph that is exported: it makes of a feed what the model was trained on, and embeds as its evaluation does.

    What the feed has done to the pixels already is taken into account, so that the embeddings are the model's own. With
    ``flip``, the mirrored image's embedding is added, as ``TEST.FLIP`` asks for.

    Args:
        module: a MODEL, in evaluation mode.
        method: its method that embeds: ``embed``, ``embed_query`` or ``embed_gallery``.
        feed: what the graph is given.
        size: H and W that the model was trained on.
        mean: that its pixels are normalised with, in units of 0..1.
        std: likewise.
        flip: whether the mirrored image is embedded too.
    """

    factor: Tensor
    offset: Tensor

    def __init__(
        self,
        module: nn.Module,
        method: str,
        feed: Feed,
        size: tuple[int, int],
        mean: list[float],
        std: list[float],
        flip: bool = False,
    ) -> None:
        super().__init__()
        self.module: Any = module
        self.method, self.size, self.flip = method, (size[0], size[1]), flip
        self.swaps = feed.order == "bgr"
        factor, offset = feed.affine(mean, std)
        self.normalised = torch.allclose(factor, torch.ones(3, 1, 1)) and torch.allclose(offset, torch.zeros(3, 1, 1))
        self.register_buffer("factor", factor)
        self.register_buffer("offset", offset)

    def forward(self, images: Tensor) -> Tensor:
        """Return the embeddings (B, D), float32, of images (B, 3, H, W) as the feed has them."""
        pixels = images.to(torch.float32)
        if self.swaps:
            pixels = pixels.flip(1)
        if not self.normalised:
            pixels = pixels * self.factor + self.offset
        pixels = resize_in_graph(pixels, self.size)
        embed = getattr(self.module, self.method)
        embedding = embed(pixels).float()
        if self.flip:
            embedding = functional.normalize(embedding + embed(pixels.flip(3)).float(), dim=1)
        return embedding


def resize_in_graph(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Return images (B, 3, H, W) at ``size``: means over whole blocks where it divides theirs, else bilinear.

    Every runtime has both operations; the means are what keeps thin stripes when an image becomes much smaller.
    """
    height, width = pixels.shape[2:]
    if (height, width) == tuple(size):
        return pixels
    if height % size[0] == 0 and width % size[1] == 0:
        return functional.avg_pool2d(pixels, (height // size[0], width // size[1]))
    return functional.interpolate(pixels, size=tuple(size), mode="bilinear", align_corners=False)
