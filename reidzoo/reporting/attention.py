"""Pictures of where a model looks when it finds an image like another."""

from __future__ import annotations

import numpy as np
import torch

from reidzoo.datasets import Record
from reidzoo.errors import UserError
from reidzoo.inference import ReadyModel
from reidzoo.inference.attention import similarity_maps
from reidzoo.reporting.image_rows import describe, pixels
from reidzoo.reporting.picture import Picture
from reidzoo.reporting.retrieval import Retrieval
from reidzoo.reporting.subject import Subject
from reidzoo.transforms import Normalize, read_image
from reidzoo.visualization import Strip, Tile

__all__ = ["attention"]

HEAT = 0.55
"""How much of a picture the heat covers where it is greatest."""


def attention(subject: Subject) -> Picture:
    """Return heat maps of the best, median and worst queries: of a query and its nearest right and wrong image.

    Raises:
        UserError: nothing in the network has places.
    """
    strips = [_strip(subject.model, subject.retrieval, name, row) for name, row in subject.chosen]
    text = (
        "Grad-CAM of the similarity: bright is what makes the two images of a pair alike to the model. From the left: "
        "the query; query and nearest true match; query and nearest image of another identity."
    )
    return Picture("attention", "Where it looks", text, strips=strips)


def _strip(model: ReadyModel, retrieval: Retrieval, name: str, row: int) -> Strip:
    lists, query, names = retrieval.lists, retrieval.query[row], retrieval.names
    tiles = [Tile(pixels(query, model.size), "query", "query", f"the query, {describe(query, names)}")]
    for mark, column, distance in (
        ("right", lists.match[row], lists.match_distance[row]),
        ("wrong", lists.other[row], lists.other_distance[row]),
    ):
        if column < 0:
            continue
        image, caption = retrieval.gallery[column], f"{retrieval.shown(distance):.3f}"
        own, theirs = retrieval.query_features[row], retrieval.gallery_features[column]
        who = "a true match" if mark == "right" else "another identity"
        words = f"the query, where it is like {who}", f"{who}, {describe(image, names)}, where it is like the query"
        tiles.append(Tile(_heated(model, query, theirs, "embed_query"), "query", "", words[0]))
        tiles.append(Tile(_heated(model, image, own, "embed_gallery"), mark, caption, words[1]))
    return Strip(f"{name}: AP {100 * retrieval.result.per_query_ap[row]:.1f} %", tiles)


def _heated(model: ReadyModel, record: Record, target: torch.Tensor, method: str) -> np.ndarray:
    """Return the image, uint8 (H, W, 3), with the heat of its similarity to ``target`` over it."""
    from matplotlib import colormaps

    normalize = Normalize(model.config.INPUT.MEAN, model.config.INPUT.STD)
    images = normalize(read_image(record.path, model.size, model.interpolation)[None].to(model.device))
    method = method if hasattr(model.module, method) else "embed"
    try:
        heat = similarity_maps(model.module, images, target[None], method)[0]
    except ValueError as error:
        raise UserError(str(error)) from None
    seen = pixels(record, model.size)
    heat = torch.nn.functional.interpolate(heat[None, None], seen.shape[:2], mode="bilinear")[0, 0]
    hot = heat.numpy()
    share = (HEAT * hot)[..., None]
    colours = 255 * np.asarray(colormaps["inferno"](0.25 + 0.75 * hot))[..., :3]
    return ((1 - share) * seen * 0.9 + share * colours).clip(0, 255).astype(np.uint8)
