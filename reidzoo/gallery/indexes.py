"""The indexes that search a gallery, by name."""

from __future__ import annotations

from typing import Any

from reidzoo.errors import GalleryError
from reidzoo.gallery.exact_index import ExactIndex
from reidzoo.gallery.faiss_index import FaissIndex

__all__ = ["INDEXES", "open_index"]

INDEXES = {"exact": ExactIndex, "faiss": FaissIndex}


def open_index(index: Any) -> Any:
    """Return the index of this name, or the one that is given.

    Raises:
        GalleryError: there is none of this name.
        UserError: what it needs is not installed.
    """
    if callable(getattr(index, "search", None)):
        return index
    if not isinstance(index, str) or index not in INDEXES:
        raise GalleryError(f"index={index!r}: there are {' and '.join(INDEXES)}, or an index of one's own")
    return INDEXES[index]()
