"""The approximate search against the exact one, while the gallery changes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from reidzoo.errors import GalleryError, UserError
from reidzoo.gallery import Entry, Gallery
from reidzoo.gallery.exact_index import ExactIndex
from reidzoo.gallery.faiss_index import FaissIndex
from reidzoo.gallery.local_store import LocalStore
from reidzoo.gallery.records import ModelRecord

REPOSITORY = Path(__file__).parents[2]

pytest.importorskip("faiss", reason="pip install 'reidzoo[faiss]'")


def people(count, dim=16, first=0):
    """Return records and embeddings of people with ten images each, by three cameras."""
    generator = torch.Generator().manual_seed(first)
    centres = torch.randn(count // 10 + 1, dim, generator=generator)
    rows = torch.arange(count)
    features = normalize(centres[rows // 10] + 0.3 * torch.randn(count, dim, generator=generator))
    return [Entry(f"{first + row}", f"{first + row // 10}", f"{row % 3}") for row in range(count)], features


@pytest.fixture
def store():
    store = LocalStore(ModelRecord("made-up", "", "00", 16), index=FaissIndex(probes=0.3, least=100))
    store.add(*people(6000))
    return store


def test_tensors_that_are_float64_by_default_change_nothing(store, float64_default):
    queries = people(3)[1]
    usual = store.search(queries, 5, None)
    float64_default()
    assert store.search(queries, 5, None) == usual


def found(store, index, queries, k=8, cameras=None):
    store.index = index
    hits = store.search(queries, k, cameras)
    return [[(hit.entry.name, round(hit.similarity, 5)) for hit in one] for one in hits]


def recall(store, index, queries, cameras=None):
    exact = found(store, ExactIndex(), queries, 8, cameras)
    ours = found(store, index, queries, 8, cameras)
    assert all([value for _, value in one] == sorted((value for _, value in one), reverse=True) for one in ours)
    right = [len({name for name, _ in a} & {name for name, _ in b}) / len(b) for a, b in zip(ours, exact)]
    return float(np.mean(right))


def test_with_all_cells_it_is_exact(store):
    queries = normalize(torch.randn(20, 16))
    whole = FaissIndex(probes=1.0, least=100)
    for cameras in (None, ["2"], ["0", "1"]):
        assert recall(store, whole, queries, cameras) > 0.89  # half precision may exchange two at the end
        (ours,) = found(store, whole, queries[:1], cameras=cameras)
        (exact,) = found(store, ExactIndex(), queries[:1], cameras=cameras)
        assert [value for _, value in ours] == pytest.approx([value for _, value in exact], abs=2e-4)


def test_it_follows_the_gallery(store):
    index, queries = store.index, people(6000)[1][::600]
    assert recall(store, index, queries) > 0.8
    store.add(*people(500, first=10_000))
    new = people(500, first=10_000)[1][::50]
    assert recall(store, index, new) > 0.8 and index._trained_for == 6000
    gone = [entry.name for entry in store.entries() if entry.identity in ("0", "60")]
    store.remove(gone)
    assert not {name for one in found(store, index, queries) for name, _ in one} & set(gone)
    store.add(*people(30_000, first=20_000))
    assert recall(store, index, queries) > 0.8 and index._trained_for == len(store) == 36_480


def test_few_images_that_may_be_found_are_found(store):
    store.add([Entry("far", None, "only")], -people(6000)[1][:1])
    (hits,) = store.search(people(6000)[1][:1], 5, ["only"])
    assert [hit.entry.name for hit in hits] == ["far"]
    (none,) = store.search(people(6000)[1][:1], 5, [])
    assert none == []


def test_small_galleries_are_searched_exactly():
    store = LocalStore(ModelRecord("made-up", "", "00", 16), index=FaissIndex())
    store.add(*people(50))
    assert len(store.search(people(50)[1][:1], 50, None)[0]) == 50 and store.index._index is None


def test_wrong_settings_and_no_faiss(monkeypatch):
    with pytest.raises(GalleryError, match="probes=0"):
        FaissIndex(probes=0)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"pip install 'reidzoo\[faiss\]'"):
        FaissIndex()


def test_by_its_name(store, tmp_path):
    store.save(tmp_path / "kept")
    assert isinstance(Gallery.load(tmp_path / "kept", index="faiss").store.index, FaissIndex)
    with pytest.raises(GalleryError, match="index='fast': there are exact and faiss"):
        Gallery.load(tmp_path / "kept", index="fast")


def test_the_page_has_the_figures_of_the_benchmark():
    results = (REPOSITORY / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    page = (REPOSITORY / "docs" / "gallery.md").read_text(encoding="utf-8")
    command, figures = re.search(r"- `(python benchmarks/gallery\.py --images 1000000.*?)`: (.*)", results).groups()
    (row,) = re.findall(r"^\| gallery, 1,000,000 x .*", results, re.MULTILINE)
    memory = re.findall(r"[\d.]+ GB", row)[0]
    assert command in page and f"{float(memory.split()[0]):g} GB" in page
    for figure in re.findall(r"\d+\.\d+", figures):
        assert re.search(rf"\b{float(figure):g}\b", page), figure
