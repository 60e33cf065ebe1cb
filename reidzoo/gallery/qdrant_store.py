"""A gallery's store in a Qdrant database, for galleries that outgrow a machine."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from reidzoo.errors import GalleryError
from reidzoo.gallery.natural_order import natural_order
from reidzoo.gallery.records import Entry, Hit, ModelRecord
from reidzoo.gallery.store import Store
from reidzoo.needs import need

__all__ = ["QdrantStore"]

BATCH = 512
MOST_VALUES = 100_000
"""Most cameras, and most identities, that are counted."""


class QdrantStore(Store):
    """Keeps embeddings in a collection of Qdrant, with name, identity and camera as payload.

    An image's id is made of its name, so that to add it twice is to add it once. The model is in a collection of its
    own, ``NAME-model``. Qdrant searches approximately from some ten thousand images on, as its settings say; several
    processes may change a collection at once.

    Args:
        client: a ``QdrantClient``: of a server, or of a folder or the memory of this process.
        collection: its name; made if it is not there.
        model: whose embeddings these are; None for that of a collection that is there.

    Raises:
        UserError: qdrant-client is not installed.
        GalleryError: the collection is another model's; or it is not there, and no model is given.
    """

    def __init__(self, client: Any, collection: str, model: ModelRecord | None = None) -> None:
        self._models = need("qdrant_client.models", "qdrant")
        self.client, self.collection = client, collection
        record = self._read_model()
        if record is None:
            if model is None:
                raise GalleryError(f"there is no gallery {collection!r} in the database; give the model to make one")
            self._create(model)
        elif model is not None:
            record.check_same(model.sha256, lambda: model.fingerprint)
        self.model = record or model  # type: ignore[assignment]  # one of the two is there

    def __len__(self) -> int:
        return int(self.client.count(self.collection, exact=True).count)

    def entries(self) -> Iterator[Entry]:
        """Return the records of all images, in the order of the database."""
        offset = None
        while True:
            points, offset = self.client.scroll(self.collection, limit=BATCH, offset=offset)
            yield from (_entry(point) for point in points)
            if offset is None:
                return

    def known(self, names: Sequence[str]) -> set[str]:
        """Return those of ``names`` that are there."""
        found: set[str] = set()
        names = list(names)
        for start in range(0, len(names), BATCH):
            ids = [_point_id(name) for name in names[start : start + BATCH]]
            found |= {_entry(point).name for point in self.client.retrieve(self.collection, ids)}
        return found

    def cameras(self) -> list[str]:
        """Return the cameras that are known, sorted as people count."""
        return sorted(self._counts("camera"), key=natural_order)

    def identity_counts(self) -> dict[str, int]:
        """Return the number of images of each identity that is known; of the most frequent, where there are many."""
        return self._counts("identity")

    def add(self, entries: Sequence[Entry], features: Tensor) -> None:
        """Add images; those of a batch that the database has confirmed are kept."""
        for start in range(0, len(entries), BATCH):
            part = entries[start : start + BATCH]
            points = [
                self._models.PointStruct(id=_point_id(entry.name), vector=row, payload=entry._asdict())
                for entry, row in zip(part, features[start : start + BATCH].tolist())
            ]
            self.client.upsert(self.collection, points, wait=True)

    def remove(self, names: Collection[str]) -> int:
        """Remove the images of these names for good, and return how many there were."""
        known = sorted(self.known(list(names)))
        for start in range(0, len(known), BATCH):
            ids = [_point_id(name) for name in known[start : start + BATCH]]
            self.client.delete(self.collection, self._models.PointIdsList(points=ids), wait=True)
        return len(known)

    def search(self, queries: Tensor, k: int, cameras: Collection[str] | None) -> list[list[Hit]]:
        """Return up to ``k`` nearest images of each query, by falling cosine similarity; see the base class."""
        if cameras is not None and not cameras:
            return [[] for _ in queries]
        chosen = None
        if cameras is not None:
            match = self._models.MatchAny(any=list(cameras))
            chosen = self._models.Filter(must=[self._models.FieldCondition(key="camera", match=match)])
        requests = [
            self._models.QueryRequest(query=query, limit=k, filter=chosen, with_payload=True)
            for query in queries.tolist()
        ]
        answers = self.client.query_batch_points(self.collection, requests)
        return [[Hit(str(point.id), _entry(point), point.score) for point in answer.points] for answer in answers]

    def features(self, hits: Sequence[Hit]) -> Tensor:
        """Return the embeddings of what a search found, float32 (n, D)."""
        rows: dict[str, list[float]] = {}
        ids = [hit.key for hit in hits]
        for start in range(0, len(ids), BATCH):
            points = self.client.retrieve(self.collection, ids[start : start + BATCH], with_vectors=True)
            rows |= {str(point.id): point.vector for point in points}
        return torch.tensor([rows[str(key)] for key in ids], dtype=torch.float32).reshape(-1, self.model.dim)

    def sample(self, count: int) -> tuple[list[Entry], Tensor]:
        """Return the records and embeddings of up to ``count`` images: the first ids, which are as good as random."""
        points = self.client.scroll(self.collection, limit=count, with_vectors=True)[0]
        rows = torch.tensor([point.vector for point in points], dtype=torch.float32).reshape(-1, self.model.dim)
        return [_entry(point) for point in points], rows

    def _counts(self, key: str) -> dict[str, int]:
        hits = self.client.facet(self.collection, key, limit=MOST_VALUES, exact=True).hits
        return {str(hit.value): int(hit.count) for hit in hits}

    def _read_model(self) -> ModelRecord | None:
        name = f"{self.collection}-model"
        if not (self.client.collection_exists(self.collection) and self.client.collection_exists(name)):
            return None
        points = self.client.retrieve(name, [0])
        return ModelRecord(**points[0].payload) if points else None

    def _create(self, model: ModelRecord) -> None:
        """Make both collections, that of the model last: a crash between leaves none that could be taken for whole."""
        sizes = {self.collection: model.dim, f"{self.collection}-model": 1}
        for name, size in sizes.items():
            if not self.client.collection_exists(name):
                vectors = self._models.VectorParams(size=size, distance=self._models.Distance.COSINE)
                self.client.create_collection(name, vectors_config=vectors)
        for key in ("camera", "identity"):  # a server counts and filters by indexed payload only
            self.client.create_payload_index(self.collection, key, self._models.PayloadSchemaType.KEYWORD)
        record = self._models.PointStruct(id=0, vector=[1.0], payload=vars(model))
        self.client.upsert(f"{self.collection}-model", [record], wait=True)


def _point_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _entry(point: Any) -> Entry:
    return Entry(**point.payload)
