"""A gallery's store in memory and in a folder."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.errors import GalleryError
from reidzoo.evenly_spaced import evenly_spaced
from reidzoo.gallery.exact_index import ExactIndex
from reidzoo.gallery.folder import GalleryFolder
from reidzoo.gallery.natural_order import natural_order
from reidzoo.gallery.part import PART_ROWS, Part
from reidzoo.gallery.records import Entry, Hit, ModelRecord
from reidzoo.gallery.store import Store

__all__ = ["LocalStore"]


class LocalStore(Store):
    """Keeps images in parts, which lie in a folder if there is one; embeddings are then mapped and read when needed.

    Args:
        model: whose embeddings these are.
        folder: where changes are written at once; None keeps them in memory until ``save``.
        parts: what is there already.
        index: what searches; exact by default.
    """

    def __init__(
        self, model: ModelRecord, folder: GalleryFolder | None = None, parts: Sequence[Part] = (), index: Any = None
    ) -> None:
        self.model, self.folder, self.index = model, folder, index or ExactIndex()
        self._numbers = itertools.count(1)
        self._names: set[str] = set()
        self._codes: dict[str | None, int] = {}
        self._part_codes: dict[int, np.ndarray] = {}
        self._set_parts(list(parts))

    @classmethod
    def load(cls, path: str | os.PathLike[str], index: Any = None) -> LocalStore:
        """Return what a folder holds.

        Raises:
            GalleryError: it is not a gallery, or damaged.
        """
        folder = GalleryFolder(path)
        model, parts = folder.read()
        return cls(model, folder, parts, index)

    def save(self, path: str | os.PathLike[str], replace: bool = False) -> None:
        """Write everything into a folder, in which further changes are then kept.

        Args:
            path: the folder.
            replace: whether another gallery that is there may be replaced.

        Raises:
            GalleryError: the folder holds something else.
        """
        folder = GalleryFolder(path)
        if self.folder is not None and folder.path == self.folder.path:
            return  # every change is there already
        with folder.change(replace):
            parts = [Part(folder.new_number(), part.entries, part.features()) for part in self.parts]
            folder.commit(self.model, parts, parts)
        self.folder, self._part_codes = folder, {}
        self._set_parts(parts)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self.parts) else 0

    def entries(self) -> Iterator[Entry]:
        """Return the records of all images."""
        return itertools.chain.from_iterable(part.entries for part in self.parts)

    def known(self, names: Iterable[str]) -> set[str]:
        """Return those of ``names`` that are there."""
        return self._names.intersection(names)

    def cameras(self) -> list[str]:
        """Return the cameras that are known, sorted as people count."""
        names = {code: camera for camera, code in self._codes.items()}
        used = {int(code) for codes in self._part_codes.values() for code in np.unique(codes)}
        return sorted((camera for code in used if (camera := names[code]) is not None), key=natural_order)

    def add(self, entries: Sequence[Entry], features: Tensor) -> None:
        """Add images: the last part is filled up, then new ones begin; a part is kept once it is written."""
        while entries:
            last = self.parts[-1] if self.parts and len(self.parts[-1]) < PART_ROWS else None
            count = PART_ROWS - (len(last) if last else 0)
            with self._change():
                number = self._new_number()
                rows = entries[:count], features[:count]
                part = last.extended(*rows, number) if last else Part(number, *rows)
                self._commit([*(self.parts[:-1] if last else self.parts), part], [part])
            entries, features = entries[count:], features[count:]

    def remove(self, names: Collection[str]) -> int:
        """Remove images by writing the parts that hold them anew; nothing of them stays in the folder."""
        names = self.known(names)
        if not names:
            return 0
        with self._change():
            parts, new = [], []
            for part in self.parts:
                if names.isdisjoint(entry.name for entry in part.entries):
                    parts.append(part)
                elif smaller := part.without(names, self._new_number()):
                    parts.append(smaller)
                    new.append(smaller)
            self._commit(parts, new, names)
        return len(names)

    def search(self, queries: Tensor, k: int, cameras: Collection[str] | None) -> list[list[Hit]]:
        """Return up to ``k`` nearest images of each query, by falling cosine similarity; see the base class."""
        k = min(k, len(self))
        if not k or not len(queries):
            return [[] for _ in queries]
        allowed = None
        if cameras is not None:
            codes = [self._codes[camera] for camera in cameras if camera in self._codes]
            allowed = [np.isin(self._part_codes[part.number], codes) for part in self.parts]
        rows, similarities = self.index.search(self.parts, queries, k, allowed)
        return [
            [Hit(int(row), self._entry(int(row)), float(value)) for row, value in zip(*pair) if value > -np.inf]
            for pair in zip(rows, similarities)
        ]

    def features(self, hits: Sequence[Hit]) -> Tensor:
        """Return the embeddings of what a search found, float32 (n, D)."""
        return self._rows([int(hit.key) for hit in hits])

    def sample(self, count: int) -> tuple[list[Entry], Tensor]:
        """Return the records and embeddings of up to ``count`` images, spread evenly over all."""
        rows = evenly_spaced(len(self), count).tolist()
        return [self._entry(row) for row in rows], self._rows(rows)

    def _rows(self, rows: Sequence[int]) -> Tensor:
        places = [self._place(row) for row in rows]
        pieces = [part.table.rows(row, row + 1) for part, row in places]
        return torch.cat([torch.empty(0, self.model.dim, dtype=torch.float32), *pieces])

    def _place(self, row: int) -> tuple[Part, int]:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return self.parts[number], row - int(self._ends[number]) + len(self.parts[number])

    def _entry(self, row: int) -> Entry:
        part, place = self._place(row)
        return part.entries[place]

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        with self.folder.change() if self.folder else contextlib.nullcontext():
            yield

    def _new_number(self) -> int:
        return self.folder.new_number() if self.folder else next(self._numbers)

    def _commit(self, parts: list[Part], new: list[Part], gone: Collection[str] = ()) -> None:
        if self.folder:
            self.folder.commit(self.model, parts, new)
        self._names.difference_update(gone)
        self._set_parts(parts)

    def _set_parts(self, parts: list[Part]) -> None:
        """Make ``parts`` the gallery; what is known of those that were there before is kept."""
        self.parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        codes = {}
        for part in parts:
            known = self._part_codes.get(part.number)
            codes[part.number] = self._index_part(part) if known is None else known
        self._part_codes = codes
        if len(self._names) != len(self):
            raise GalleryError("two images of the gallery have one name; build it again")

    def _index_part(self, part: Part) -> np.ndarray:
        self._names.update(entry.name for entry in part.entries)
        return np.array([self._codes.setdefault(entry.camera, len(self._codes)) for entry in part.entries])
