"""Pictures of where a model looks when it finds an image like another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from reidzoo.datasets import Record
from reidzoo.datasets.names import Names
from reidzoo.errors import UserError
from reidzoo.inference import ReadyModel
from reidzoo.inference.attention import similarity_maps
from reidzoo.reporting.image_rows import brief, describe, pixels, tile, titled
from reidzoo.reporting.picture import Picture, Table
from reidzoo.reporting.subject import Subject
from reidzoo.transforms import Normalize, read_image
from reidzoo.visualization import Strip, Tile

__all__ = ["attention"]

HEAT = 0.55
"""How much of a picture the heat covers where it is greatest."""


def attention(subject: Subject) -> Picture:
    """Return heat maps of the chosen queries: of a query and its nearest right and wrong image.

    Raises:
        UserError: nothing in the network has places, or a query is not there.
    """
    strips, rows = [], []
    for name, row in subject.chosen:
        pairs = list(_pairs(subject, row))
        query, names = subject.retrieval.query[row], subject.retrieval.names
        tiles = [t for pair in pairs for t in pair.tiles(names)]
        strips.append(
            Strip(subject.title(name, row), [tile(query, "query", subject.size, "query", names=names), *tiles])
        )
        about = f"{name}: {titled(query, names)}", subject.precision(row)
        rows += [(*about, *pair.cells(names)) for pair in pairs]
    text = (
        "Grad-CAM of the similarity: bright is what makes the two images of a pair alike to the model. From the left: "
        "the query; query and nearest true match; query and nearest image of another identity."
    )
    thirds = "heat in upper, middle, lower third, %"
    head = ("query", "AP, %", "with", subject.retrieval.axis, f"query: {thirds}", f"found: {thirds}")
    return Picture("attention", "Where it looks", text, strips=strips, table=Table(head, rows))


@dataclass(frozen=True)
class _Pair:
    """A query and an image, each float (H, W) heat over uint8 (H, W, 3) pixels; what it is, and how alike they are."""

    mark: str
    image: Record
    shown: str
    pixels: tuple[np.ndarray, np.ndarray]
    heats: tuple[np.ndarray, np.ndarray]

    @property
    def what(self) -> str:
        return "a true match" if self.mark == "right" else "another identity"

    def tiles(self, names: Names) -> list[Tile]:
        query, image = map(_heated, self.pixels, self.heats)
        words = f"{self.what}, {describe(self.image, names)}, where it is like the query"
        found = Tile(image, self.mark, self.shown, words, brief(self.image, names))
        return [Tile(query, "query", "", f"the query, where it is like {self.what}"), found]

    def cells(self, names: Names) -> tuple[str, ...]:
        return (f"{self.what}, {titled(self.image, names)}", self.shown, *map(_thirds, self.heats))


def _pairs(subject: Subject, row: int) -> Iterator[_Pair]:
    retrieval, model = subject.retrieval, subject.model
    lists, query, own = retrieval.lists, retrieval.query[row], retrieval.query_features[row]
    for mark, column, distance in (
        ("right", lists.match[row], lists.match_distance[row]),
        ("wrong", lists.other[row], lists.other_distance[row]),
    ):
        if column < 0:
            continue
        image, shown = retrieval.gallery[column], f"{retrieval.shown(distance):.3f}"
        seen = pixels(query, model.size), pixels(image, model.size)
        heats = (
            _heat(model, query, retrieval.gallery_features[column], "embed_query"),
            _heat(model, image, own, "embed_gallery"),
        )
        yield _Pair(mark, image, shown, seen, heats)


def _heat(model: ReadyModel, record: Record, target: torch.Tensor, method: str) -> np.ndarray:
    """Return where an image is like ``target``, from 0 to 1, float32 (H, W) as large as it is shown."""
    normalize = Normalize(model.config.INPUT.MEAN, model.config.INPUT.STD)
    images = normalize(read_image(record.path, model.size, model.interpolation)[None].to(model.device))
    method = method if hasattr(model.module, method) else "embed"
    try:
        heat = similarity_maps(model.module, images, target[None], method)[0]
    except ValueError as error:
        raise UserError(str(error)) from None
    shape = pixels(record, model.size).shape[:2]
    return torch.nn.functional.interpolate(heat[None, None], shape, mode="bilinear")[0, 0].numpy()


def _heated(seen: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return an image, uint8 (H, W, 3), with heat over it."""
    from matplotlib import colormaps

    share = (HEAT * heat)[..., None]
    colours = 255 * np.asarray(colormaps["inferno"](0.25 + 0.75 * heat))[..., :3]
    return ((1 - share) * seen * 0.9 + share * colours).clip(0, 255).astype(np.uint8)


def _thirds(heat: np.ndarray) -> str:
    """Return which percents of the heat lie in the upper, the middle and the lower third."""
    if not heat.any():
        return ""
    return ", ".join(f"{100 * part.sum() / heat.sum():.0f}" for part in np.array_split(heat, 3))
