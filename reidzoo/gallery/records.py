"""The records of a gallery: an image in it, a hit of a search, and what an addition came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from reidzoo.errors import GalleryError
from reidzoo.files import printable

if TYPE_CHECKING:
    from reidzoo.inference.ready_model import ReadyModel

__all__ = ["Added", "Entry", "Hit", "Match", "ModelRecord", "each_label", "is_label", "label_text"]


class Entry(NamedTuple):
    """One image of a gallery.

    Attributes:
        name: the absolute path of its file, or the name that an image without a file was given; unique in a gallery.
        identity: whom it shows, if that is known.
        camera: which camera took it, if that is known.
    """

    name: str
    identity: str | None = None
    camera: str | None = None

    def as_texts(self) -> Entry:
        """Return it with the texts of its name and labels, which is what a gallery can keep.

        Raises:
            GalleryError: it has no name, or a label that is not UTF-8.
        """
        name = label_text(self.name)
        if name is None:
            raise GalleryError(f"{self} has no name; give each image of the gallery a name of its own")
        entry = Entry(name, label_text(self.identity), label_text(self.camera))
        if wrong := [text for text in entry[1:] if text is not None and printable(text) != text]:
            raise GalleryError(
                f"{printable(name)}: the label {printable(wrong[0])} is not UTF-8, so no file can hold it"
            )
        return entry


def label_text(label: Any) -> str | None:
    """Return a label as text: numbers of numpy, torch and pandas as Python's, None for None, NaN, pandas' NA and ""."""
    if hasattr(label, "item"):
        label = label.item()
    if label is None or type(label).__name__ in ("NAType", "NaTType") or label != label or label == "":
        return None
    return str(int(label) if isinstance(label, float) and label.is_integer() else label)


def is_label(labels: Any) -> bool:
    """Return whether this is one label, and not several."""
    return not isinstance(labels, Iterable) or isinstance(labels, (str, bytes)) or getattr(labels, "ndim", 1) == 0


def each_label(labels: Any) -> Iterable[Any]:
    """Return several labels as they are, and one as a list of it."""
    return [labels] if is_label(labels) else labels


class Hit(NamedTuple):
    """One image that a store found.

    Attributes:
        key: what the store calls it, until the store changes.
        entry: its record.
        similarity: its cosine similarity with the query.
    """

    key: int | str
    entry: Entry
    similarity: float


@dataclass(frozen=True)
class Match:
    """One image of the gallery as an answer to a query.

    Attributes:
        name, identity, camera: as ``Entry`` has them.
        similarity: the cosine similarity with the query, in [-1, 1].
        probability: that it shows the query's identity, if the model is calibrated, at the prior of the search.
        distance: the re-ranked distance in [0, 1] by which matches are ordered; None without re-ranking.
    """

    name: str
    identity: str | None
    camera: str | None
    similarity: float
    probability: float | None = None
    distance: float | None = None


@dataclass(frozen=True)
class Added:
    """The result of an addition.

    Attributes:
        added: images that are new in the gallery.
        known: images that were not looked at, since the gallery has them by their names.
        unreadable: the reasons, each with the file's name, why others were left out.
    """

    added: int
    known: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelRecord:
    """The model whose embeddings a gallery holds.

    Attributes:
        name: what people call it.
        weights: what ``reidzoo.load`` finds it by: a name of the zoo, or an absolute path.
        sha256: of its file.
        dim: D of its embeddings.
        fingerprint: of what its embeddings follow from, see ``ReadyModel``; "" in records of older versions.
    """

    name: str
    weights: str
    sha256: str
    dim: int
    fingerprint: str = ""

    @classmethod
    def of(cls, model: ReadyModel) -> ModelRecord:
        """Return what a gallery remembers of a model.

        Raises:
            GalleryError: the model does not say the SHA-256 of its file.
        """
        sha256 = model.info.get("sha256")
        if not isinstance(sha256, str):
            raise GalleryError("the model does not know the sha256 of its file; load it with reidzoo.load")
        name = str(model.info.get("name", ""))
        return cls(name, model.found_by or name, sha256, model.embedding_dim, model.fingerprint)

    def check_same(self, sha256: str, fingerprint: Callable[[], str] = str) -> None:
        """Check that a model gives the same embeddings, as this one's calibrated copy does.

        Args:
            sha256: of the model's file, "" where that is unknown.
            fingerprint: returns the model's, which is asked for, and takes its time, where the files differ.

        Raises:
            GalleryError: it is another model.
        """
        if sha256 != self.sha256 and not "" != self.fingerprint == fingerprint():
            raise GalleryError(
                f"the gallery holds embeddings of {self.name} (sha256 {self.sha256[:12]}...), and those of another "
                f"model (sha256 {sha256[:12] or 'unknown'}...) cannot be compared with them; build a gallery with that "
                f"model"
            )
