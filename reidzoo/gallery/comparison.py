"""Compares two images, and measures what in them makes a model take them for one identity or for two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from reidzoo.inference.ready_model import ReadyModel
from reidzoo.transforms import resize_image

__all__ = ["BANDS", "Comparison", "compare_images"]

BANDS = ("upper third", "middle third", "lower third")
CELLS = 32  # about as many cells of a map


@dataclass(frozen=True)
class Comparison:
    """What a model makes of two images.

    A cell's influence is the similarity less what it is when the cell and half a cell around it are covered in that one
    image: positive where the cell makes the two alike, negative where it sets them apart. It says what the similarity
    rests on, not why two people look alike.

    Attributes:
        similarity: the cosine similarity.
        influence: for either image, rows of cells from the top.
        without_band: the similarity when a third of both images is covered: the upper, the middle, the lower one.
    """

    similarity: float
    influence: tuple[list[list[float]], list[list[float]]]
    without_band: tuple[float, ...]

    def reasons(self) -> list[str]:
        """Return what speaks for and against one identity, in words, what weighs most first."""
        total = round(self.similarity, 2) + 0.0  # no negative zero
        changes = [(round(value, 2) + 0.0, band) for value, band in zip(self.without_band, BANDS)]
        return [
            f"The {band} {'sets them apart' if value > total else 'makes them alike'}: covered in both pictures, it "
            f"leaves a similarity of {value:.2f} instead of {total:.2f}."
            for value, band in sorted(changes, key=lambda change: -abs(change[0] - total))
            if value != total
        ]


def compare_images(model: ReadyModel, first: Any, second: Any) -> Comparison:
    """Compare two images, the first as a query and the second as one of a gallery.

    Args:
        model: the model.
        first, second: paths are not taken: PIL images, or uint8 tensors (3, H, W) of the model's size.

    Raises:
        UnfitImageError: a picture that cannot be shown faithfully, or without pixels.
    """
    pixels = [_pixels(model, image) for image in (first, second)]
    height, width = model.size
    rows = max(round((CELLS * height / width) ** 0.5), 1)
    grid = (rows, max(round(rows * width / height), 1))
    boxes = _cells(model.size, grid)
    bands = [(round(n * height / 3), round((n + 1) * height / 3), 0, width) for n in range(3)]
    fill = torch.tensor([round(255 * value) for value in model.config.INPUT.MEAN], dtype=torch.uint8)[:, None, None]
    covered = [torch.stack([image, *(_cover(image, box, fill) for box in (*bands, *boxes))]) for image in pixels]
    queries, gallery = model.embed_query(covered[0]), model.embed_gallery(covered[1])
    similarity = cosine_similarity(queries[:1], gallery[:1])
    without = cosine_similarity(queries[1:4], gallery[1:4])
    cells = [cosine_similarity(queries[4:], gallery[:1]), cosine_similarity(queries[:1], gallery[4:])]
    maps = [(similarity - value).reshape(grid).tolist() for value in cells]
    return Comparison(float(similarity.clamp(-1, 1)), (maps[0], maps[1]), tuple(without.tolist()))


def _pixels(model: ReadyModel, image: Any) -> Tensor:
    return image if isinstance(image, Tensor) else resize_image(image, model.size, model.interpolation)


def _cells(size: tuple[int, int], grid: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Return (top, bottom, left, right) of what is covered for each cell, row by row."""
    spans = [
        [
            (max(round((n - 0.5) * length / count), 0), min(round((n + 1.5) * length / count), length))
            for n in range(count)
        ]
        for length, count in zip(size, grid)
    ]
    return [(*rows, *columns) for rows in spans[0] for columns in spans[1]]


def _cover(image: Tensor, box: Sequence[int], fill: Tensor) -> Tensor:
    top, bottom, left, right = box
    image = image.clone()
    image[:, top:bottom, left:right] = fill
    return image
