"""Reads a vision transformer's network, grid of patches and side information from its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from reidzoo.errors import WeightsError

__all__ = ["SIDES", "count_blocks", "describe_side_information", "find_stride"]

SIDES = {
    "sie": ("cameras", "views", "cameras_and_views"),
    "sie_weight": ("3.0", "2.5", "2.0", "1.5", "1.0"),
}
"""Options on side information, which the file does not tell: what it is of, and lambda."""
VIEWS = 8
"""Viewpoints that VeRi-776 has in the authors' code."""


def count_blocks(state: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many blocks the file has, those called ``prefix`` and a number."""
    numbers = [int(m[1]) for name in state if (m := re.match(rf"{re.escape(prefix)}(\d+)\.", name))]
    return max(numbers, default=-1) + 1


def find_stride(tokens: int, size: str, patch: int) -> int:
    """Return the stride of the patches that gives so many tokens.

    Args:
        tokens: position embeddings without the class token's.
        size: of the images, ``256x128``.
        patch: the patches' side in pixels.

    Raises:
        WeightsError: none does.
    """
    height, width = map(int, size.split("x"))
    for stride in range(patch, 0, -1):
        if ((height - patch) // stride + 1) * ((width - patch) // stride + 1) == tokens:
            return stride
    raise WeightsError(
        f"the file has position embeddings of {tokens} patches, which images of {size} do not have with any stride; "
        f"give the option size, height x width of its training images (INPUT.SIZE_TRAIN in its configuration)"
    )


def describe_side_information(count: int, options: Mapping[str, str], tokens: str) -> dict[str, Any]:
    """Return the node ``sie`` for ``count`` embeddings.

    Raises:
        WeightsError: they are of cameras and viewpoints, and no multiple of the viewpoints.
    """
    of, weight = options.get("sie", "cameras"), float(options.get("sie_weight", "3.0" if tokens == "all" else "1.0"))
    if of == "cameras_and_views":
        if count % VIEWS:
            raise WeightsError(
                f"the file has {count} embeddings, which are not those of cameras with {VIEWS} views each"
            )
        return {"cameras": count // VIEWS, "views": VIEWS, "weight": weight, "tokens": tokens}
    return {of: count, "weight": weight, "tokens": tokens}
