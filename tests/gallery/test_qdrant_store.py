"""A gallery in Qdrant, embedded in this process, against one in memory."""

from __future__ import annotations

import sys

import pytest
import torch
from torch.nn.functional import normalize

import reidzoo
from reidzoo.errors import GalleryError, UserError
from reidzoo.gallery import Gallery, ModelRecord

qdrant = pytest.importorskip("qdrant_client", reason="pip install 'reidzoo[qdrant]'")
from reidzoo.gallery.qdrant_store import QdrantStore  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")


@pytest.fixture
def client():
    client = qdrant.QdrantClient(":memory:")
    yield client
    client.close()


def rounded(found):
    return [[(hit.entry, round(hit.similarity, 4)) for hit in hits] for hits in found]


def test_it_finds_what_a_folder_finds(client, fill):
    ours = fill(60)
    theirs = fill(60, store=QdrantStore(client, "people", ours.model))
    queries = normalize(torch.randn(4, 4))
    for cameras in (None, ["a"], ["a", "b"], []):
        found = theirs.search(queries, 7, cameras)
        assert rounded(found) == rounded(ours.search(queries, 7, cameras))
    hits = theirs.search(queries, 7, None)[0]
    assert theirs.features(hits) @ queries[0] == pytest.approx(torch.tensor([hit.similarity for hit in hits]), abs=1e-5)
    assert theirs.cameras() == ours.cameras() and theirs.identity_counts() == ours.identity_counts()
    assert set(theirs.entries()) == set(ours.entries()) and len(theirs) == 60
    entries, rows = theirs.sample(10)
    assert len(set(entries)) == 10 and rows.shape == (10, 4)
    fill(60, store=theirs)  # the same names again
    assert len(theirs) == 60 and theirs.remove(["0.jpg", "59.jpg", "x"]) == 2 and len(theirs) == 58
    assert theirs.known(["0.jpg", "1.jpg"]) == {"1.jpg"}


@pytest.mark.slow
def test_a_gallery_in_a_database(model, people, write_tiny, tmp_path):
    client = qdrant.QdrantClient(path=str(tmp_path / "db"))
    gallery = Gallery(QdrantStore(client, "people", ModelRecord.of(model)), model)
    assert gallery.search(people / "Bob" / "Bob_c0.jpg") == [[]] and gallery.add(people).added == 6
    assert gallery.add(people).known == 6 and gallery.remove(identity="Ann") == 2
    with pytest.raises(GalleryError, match="nothing to save"):
        gallery.save(tmp_path / "kept")
    client.close()
    client = qdrant.QdrantClient(path=str(tmp_path / "db"))
    gallery = Gallery(QdrantStore(client, "people"))  # later; it knows its model
    (matches,) = gallery.search(people / "Bob" / "Bob_c0.jpg", k=3, camera=0, rerank=True)
    assert [match.identity for match in matches] == ["Bob", "Cleo"]
    torch.manual_seed(1)
    other = reidzoo.load(write_tiny("other", info={"name": "other"})[0])
    with pytest.raises(GalleryError, match="holds embeddings of tiny"):
        QdrantStore(client, "people", ModelRecord.of(other))
    with pytest.raises(GalleryError, match="no gallery 'nobody' in the database"):
        QdrantStore(client, "nobody")
    client.close()


def test_qdrant_is_an_extra(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "qdrant_client.models", None)
    with pytest.raises(UserError, match=r"pip install 'reidzoo\[qdrant\]'"):
        QdrantStore(client, "people")
