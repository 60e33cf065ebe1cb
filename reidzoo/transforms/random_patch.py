"""Patches of other images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from reidzoo.checks import PROBABILITY, check
from reidzoo.distributed import gather
from reidzoo.registry import TRANSFORM
from reidzoo.to_device import to_device
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.random_rectangle import RandomRectangle

__all__ = ["RandomPatch"]


@TRANSFORM.register_module()
class RandomPatch:
    """Pastes a piece of another image of the batch onto an image, with probability ``p``, and may mirror and turn it.

    Zhou et al., "Learning generalisable omni-scale representations for person re-identification" (TPAMI 2021): patches
    of other people, as what stands in front of someone. Departures from the authors' code: the patch is of an image of
    the same batch, not of a pool of earlier ones, which a resumed run would have to save; and its size is drawn as
    ``RandomErasing`` draws its own. Several processes exchange their images, and see the same patches as one would.

    Args:
        p: probability for each image.
        area: least and greatest share of the image's area, in (0, 1].
        aspect: least and greatest height / width, in (0, 100].
        flip: probability that the patch is mirrored left to right.
        rotate: probability that it is turned, by -10 to 10 degrees about its centre; what comes in at its corners is
            black.

    Attributes:
        mixes: true: a result depends on the other images of the batch.

    Raises:
        ConfigError: an argument is out of its range.
    """

    mixes = True

    def __init__(
        self,
        p: float = 0.5,
        area: Sequence[float] = (0.01, 0.5),
        aspect: Sequence[float] = (0.1, 10.0),
        flip: float = 0.5,
        rotate: float = 0.5,
    ) -> None:
        self.rectangle = RandomRectangle(self, p, area, aspect)
        check(self, PROBABILITY, flip=flip, rotate=rotate)
        self.flip, self.rotate = flip, rotate

    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the batch (B, 3, H, W), of any dtype, with some patches pasted; the given one is left as it is."""
        size = np.array(images.shape[2:])
        chosen, rectangles = self.rectangle.draw(draw, *images.shape[2:])
        numbers, everyone = draw.uniform(6), gather(images.contiguous())
        sources = np.floor(numbers[:, 0] * len(everyone)).astype(int)
        origins = np.floor(numbers[:, 1:3] * (size + 1 - rectangles[:, 2:])).astype(int)
        results = images.clone()
        for i in np.flatnonzero(chosen):
            top, left, height, width = rectangles[i].tolist()
            row, column = origins[i].tolist()
            patch = everyone[sources[i], :, row : row + height, column : column + width]
            results[i, :, top : top + height, left : left + width] = self._changed(patch, *numbers[i, 3:].tolist())
        return results

    def _changed(self, patch: Tensor, flip: float, rotate: float, turn: float) -> Tensor:
        if flip < self.flip:
            patch = patch.flip(-1)
        return turned(patch, 20 * turn - 10) if rotate < self.rotate else patch


def turned(patch: Tensor, degrees: float) -> Tensor:
    """Return a patch (C, h, w) turned anticlockwise about its centre, of the nearest pixels, black where none is."""
    height, width = patch.shape[1:]
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    matrix = np.array([[[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]]], dtype=np.float32)
    grid = F.affine_grid(to_device(matrix, patch.device), [1, 1, height, width], align_corners=False)
    return F.grid_sample(patch[None].float(), grid, mode="nearest", align_corners=False)[0].to(patch.dtype)
