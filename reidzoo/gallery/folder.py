"""The files of a gallery: parts that never change, and one manifest that says which of them count."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors.torch import save

from reidzoo.errors import GalleryError, WeightsError
from reidzoo.files import show_path, write_text, write_whole
from reidzoo.gallery.part import Part
from reidzoo.gallery.records import Entry, ModelRecord
from reidzoo.weights.safetensors_file import read_safetensors

__all__ = ["MANIFEST", "GalleryFolder"]

MANIFEST = "gallery.json"
FORMAT = 1
OURS = re.compile(r"\d{6,}\.(safetensors|json)|\..*\.tmp")
"""The names that this module gives to files besides the manifest and the lock."""
WAIT = 60.0


class GalleryFolder:
    """Reads and writes a gallery's folder so that a crash at any moment leaves the gallery before or after a change.

    ``NNNNNN.safetensors`` holds the embeddings of a part, ``NNNNNN.json`` its records, and ``gallery.json`` the model
    and the numbers of the parts that count. A change writes new parts first, under new numbers, then exchanges the
    manifest in one step, and then deletes what no longer counts. Files that a crash left behind are deleted by the next
    change. Only one process at a time may change a folder; others may read it.

    Args:
        path: the folder.

    Attributes:
        generation: the number of changes that the manifest had seen when it was last read or written here.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().resolve()
        self.generation, self._next = 0, 1

    @classmethod
    def new(cls, path: str | os.PathLike[str]) -> GalleryFolder:
        """Return a folder that holds nothing yet.

        Raises:
            GalleryError: it does, or cannot be made or written to.
        """
        folder = cls(path)
        folder.check()
        there = next(place for place in (folder.path, *folder.path.parents) if place.exists())
        if not there.is_dir():
            raise GalleryError(f"{show_path(there)} is a file; name a new folder for the gallery")
        if not os.access(there, os.W_OK):
            raise GalleryError(f"{show_path(there)} may not be written to; name another folder for the gallery")
        return folder

    @property
    def manifest(self) -> Path:
        """Return the path of the manifest."""
        return self.path / MANIFEST

    def read(self) -> tuple[ModelRecord, list[Part]]:
        """Return the model and the parts.

        Raises:
            GalleryError: there is no gallery, or its files are damaged.
        """
        while True:
            manifest = self._read_manifest()
            try:
                parts = [self._read_part(number, rows, manifest["model"].dim) for number, rows in manifest["parts"]]
            except FileNotFoundError as error:
                if self._read_manifest()["generation"] != manifest["generation"]:
                    continue  # another process has exchanged parts since the manifest was read
                raise GalleryError(
                    f"{show_path(self.path)}: {error.filename} is missing; copy the gallery again"
                ) from None
            self.generation, self._next = manifest["generation"], manifest["next"]
            return manifest["model"], parts

    @contextlib.contextmanager
    def change(self, replace: bool = False) -> Iterator[None]:
        """Hold the folder for a change.

        Args:
            replace: whether a gallery that is not the one that was read here may be replaced.

        Raises:
            GalleryError: another process holds it, or has changed it; the folder holds something else; or it cannot be
                written to, such as on a full disk.
        """
        self.check(replace)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / ".lock", timeout=WAIT):
                self.check(replace)
                if self.manifest.exists():
                    manifest = self._read_manifest()
                    self.generation, self._next = manifest["generation"], manifest["next"]
                yield
        except Timeout:
            raise GalleryError(f"{show_path(self.path)} is being changed by another process; try again later") from None
        except OSError as error:
            raise GalleryError(
                f"{show_path(self.path)} cannot be changed and stays as it was: {error.strerror or error}"
                f"{f' ({error.filename})' if error.filename else ''}"
            ) from error

    def check(self, replace: bool = False) -> None:
        """Check that the folder may be changed; ``change`` says what that is.

        Raises:
            GalleryError: it may not.
        """
        if self.manifest.exists():
            if replace or self._read_manifest()["generation"] == self.generation:
                return
            raise GalleryError(
                f"{show_path(self.path)} was changed by somebody else since it was read; load it again"
                if self.generation
                else f"{show_path(self.path)} holds a gallery already; add to that one, or name another folder"
            )
        if self.path.is_dir() and not all(_is_ours(name) for name in os.listdir(self.path)):
            raise GalleryError(f"{show_path(self.path)} is not empty and not a gallery; name a new folder")
        if self.generation:
            raise GalleryError(f"{show_path(self.path)} was deleted since it was read")

    def new_number(self) -> int:
        """Return the number of a new part; within ``change``."""
        self._next += 1
        return self._next - 1

    def commit(self, model: ModelRecord, parts: Sequence[Part], new: Sequence[Part]) -> None:
        """Make ``parts`` the gallery; within ``change``.

        Args:
            model: the model.
            parts: all parts, in their order.
            new: those of them that are not on the disk yet.
        """
        self._delete_others(self._counting())
        for part in new:
            with write_whole(self.path / f"{part.number:06d}.safetensors") as file:
                file.write(save({"features": part.features().contiguous()}))
            write_text(self.path / f"{part.number:06d}.json", json.dumps(part.entries, ensure_ascii=False))
        manifest = {
            "format": FORMAT,
            "generation": self.generation + 1,
            "next": self._next,
            "model": vars(model),
            "parts": [[part.number, len(part)] for part in parts],
        }
        write_text(self.manifest, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        self.generation += 1
        self._delete_others({part.number for part in parts})

    def _counting(self) -> set[int]:
        return {number for number, _ in self._read_manifest()["parts"]} if self.manifest.exists() else set()

    def _delete_others(self, numbers: set[int]) -> None:
        for name in os.listdir(self.path):
            if OURS.fullmatch(name) and (name.startswith(".") or int(name.partition(".")[0]) not in numbers):
                with contextlib.suppress(OSError):  # a reader may hold it open; the next change deletes it
                    os.unlink(self.path / name)

    def _read_manifest(self) -> dict[str, Any]:
        if not self.manifest.is_file():
            hint = "" if self.path.is_dir() else ": there is no such folder"
            raise GalleryError(f"{show_path(self.path)} is not a gallery{hint}; reidzoo gallery build makes one")
        try:
            content = json.loads(self.manifest.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise GalleryError(
                    f"{show_path(self.manifest)} is of format {content['format']}, and this reidzoo reads {FORMAT}; "
                    f"update reidzoo"
                )
            model = ModelRecord(**content["model"])
            texts = (model.name, model.weights, model.sha256, model.fingerprint)
            numbers = [
                model.dim,
                content["generation"],
                content["next"],
                *(n for part in content["parts"] for n in part),
            ]
            if not all(isinstance(text, str) for text in texts) or not all(type(n) is int and n > 0 for n in numbers):
                raise ValueError("a value of another kind")
            parts = [(number, rows) for number, rows in content["parts"]]
            return {**content, "model": model, "parts": parts}
        except (ValueError, TypeError, LookupError) as error:
            raise GalleryError(f"{show_path(self.manifest)} is damaged ({error!r}); copy the gallery again") from None

    def _read_part(self, number: int, rows: int, dim: int) -> Part:
        path = self.path / f"{number:06d}.json"
        features_path = path.with_suffix(".safetensors")
        try:
            entries = [Entry(*fields) for fields in json.loads(path.read_text(encoding="utf-8"))]
            if not features_path.is_file():
                raise FileNotFoundError(2, "no such file", str(features_path))
            features = read_safetensors(features_path)[1]["features"]
            texts = (text for entry in entries for text in entry if text is not None)
            if features.shape != (rows, dim) or len(entries) != rows or not all(isinstance(t, str) for t in texts):
                raise ValueError(f"expected {rows} rows of {dim} values")
            return Part(number, entries, features)
        except (ValueError, TypeError, LookupError, WeightsError, GalleryError) as error:
            raise GalleryError(f"{show_path(path)} is damaged ({error}); copy the gallery again") from None


def _is_ours(name: str) -> bool:
    return name in (".lock", MANIFEST) or bool(OURS.fullmatch(name))
