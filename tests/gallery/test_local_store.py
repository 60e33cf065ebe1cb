"""The store of a gallery: what it finds against a plain search, and what is left of it when its process is killed."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
import torch
from torch.nn.functional import normalize

from reidzoo.gallery import Entry, local_store
from reidzoo.gallery.local_store import LocalStore


def content(store):
    """Return name -> record and embedding, and check that the store knows its own names."""
    rows = [row for part in store.parts for row in part.features().tolist()]
    found = {entry.name: (entry, tuple(row)) for entry, row in zip(store.entries(), rows, strict=True)}
    assert store.known(found) == set(found) and len(store) == len(found)
    return found


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(local_store, "PART_ROWS", 4)


@pytest.mark.parametrize("count, k", [(1, 3), (2049, 5), (4500, 4500)])
def test_search_against_all_products(fill, count, k):
    store = fill(count, dim=8)
    features = torch.cat([part.features() for part in store.parts]).double()
    entries = list(store.entries())
    queries = normalize(torch.randn(3, 8))
    for cameras in (None, ["b"], ["a", "b"], []):
        allowed = [row for row, entry in enumerate(entries) if cameras is None or entry.camera in cameras]
        for query, hits in zip(queries, store.search(queries, k, cameras)):
            assert len(hits) == min(k, len(allowed))
            products = features[allowed] @ query.double()
            expected = products.topk(len(hits)).values
            assert torch.tensor([hit.similarity for hit in hits]).double() == pytest.approx(expected, abs=1e-6)
            assert all(entries[hit.key] == hit.entry for hit in hits) and len({hit.key for hit in hits}) == len(hits)
            assert all(
                features[hit.key] @ query.double() == pytest.approx(hit.similarity, abs=1e-6) for hit in hits[:50]
            )
            if hits:
                assert torch.equal(store.features(hits[:3]), features[[hit.key for hit in hits[:3]]].float())


def test_equal_images_are_found_in_their_order():
    from reidzoo.gallery.records import ModelRecord

    store = LocalStore(ModelRecord("made-up", "", "00", 2))
    store.add([Entry(str(row)) for row in range(5000)], torch.tensor([[0.6, 0.8]]).expand(5000, 2))
    (hits,) = store.search(torch.tensor([[1.0, 0.0]]), 4999, None)
    assert [hit.key for hit in hits] == list(range(4999))


def test_parts_are_filled_up_and_written_anew(fill, small_parts, tmp_path):
    store = fill(3)
    store.save(tmp_path / "kept")
    fill(6, store=store, first=3)
    assert [len(part) for part in store.parts] == [4, 4, 1]
    whole = content(store)
    assert store.remove(["1.jpg", "8.jpg", "x"]) == 2
    assert [len(part) for part in store.parts] == [3, 4]
    left = {name: value for name, value in whole.items() if name not in ("1.jpg", "8.jpg")}
    assert content(store) == content(LocalStore.load(tmp_path / "kept")) == left
    kept = b"".join(path.read_bytes() for path in (tmp_path / "kept").iterdir())
    assert b'"2.jpg"' in kept and b'"1.jpg"' not in kept  # who is removed leaves nothing behind


def killed_at(event, work):
    """Run ``work`` in a copy of this process that dies before the ``event``-th change of a file; did it die?"""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    count = 0

    def die(name, arguments):
        nonlocal count
        writes = name == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or name in ("os.rename", "os.remove", "os.mkdir"):
            count += 1
            if count > event:
                os._exit(9)

    sys.addaudithook(die)
    work()
    os._exit(0)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is copied, which this system cannot")
@pytest.mark.parametrize("change", ["save", "replace", "add", "remove"])
def test_a_change_killed_anywhere_loses_nothing(fill, small_parts, tmp_path, monkeypatch, change):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # takes long, and the death of a process asks for none
    before, folder = tmp_path / "before", tmp_path / "gallery"
    if change != "save":
        fill(6).save(before)
    old = {} if change == "save" else content(LocalStore.load(before))
    other = fill(5, first=100)

    def work():
        if change in ("save", "replace"):
            fill(5, first=100).save(folder, replace=change == "replace")
        elif change == "add":
            fill(5, store=LocalStore.load(folder), first=100)
        else:
            LocalStore.load(folder).remove(["0.jpg", "5.jpg"])

    new = {"add": {**old, **content(other)}, "remove": {k: v for k, v in old.items() if k not in ("0.jpg", "5.jpg")}}
    expected = new.get(change, content(other))
    deaths, seen = 0, set()
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if old:
            shutil.copytree(before, folder)
        if not killed_at(deaths, work):
            break
        deaths += 1
        found = content(LocalStore.load(folder)) if old or (folder / "gallery.json").exists() else {}
        seen.add(len(found))
        if change == "add":  # part by part, in order
            assert list(found.items()) == list(expected.items())[: len(found)] and len(found) >= len(old)
            store = LocalStore.load(folder)
            store.add(*rest(other, store))
        else:
            assert found in (old, expected)
            work_again(change, folder, other, found == expected)
        assert content(LocalStore.load(folder)) == expected
        names = {path.name for path in folder.iterdir()} - {".lock", "gallery.json"}
        assert len(names) == 2 * len(LocalStore.load(folder).parts), "what crashes left behind is cleared away"
    assert deaths > 5 and len(old) in seen and (change != "add" or len(seen) > 1)


def rest(other, store):
    """Return the records and embeddings of ``other`` that ``store`` lacks."""
    missing = [value for name, value in content(other).items() if not store.known([name])]
    return [entry for entry, _ in missing], torch.tensor([row for _, row in missing]).reshape(-1, 4)


def work_again(change, folder, other, done):
    if change == "remove":
        store = LocalStore.load(folder)
        store.remove(["0.jpg", "5.jpg"])
        store.add([Entry("x")], torch.tensor([[1.0, 0, 0, 0]]))  # the next change clears what is left, done or not
        store.remove(["x"])
    else:
        other.folder = None
        other.save(folder, replace=True)
