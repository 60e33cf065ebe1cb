"""Galleries of a tiny model: the fixtures of their tests."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

import reidzoo
from reidzoo.gallery import Entry
from reidzoo.gallery.local_store import LocalStore
from reidzoo.gallery.records import ModelRecord

from ..conftest import draw_person
from ..served_models import home, tiny_config, write_tiny  # noqa: F401


@pytest.fixture
def model(write_tiny):  # noqa: F811
    """A tiny model, with random weights."""
    return reidzoo.load(write_tiny()[0])


@pytest.fixture
def people(tmp_path):
    """A folder of three people: two images of each by the cameras 0 and 10."""
    for pid, name in enumerate(("Ann", "Bob", "Cleo")):
        for camera in (0, 10):
            draw_person(tmp_path / "people" / name / f"{name}_c{camera}.jpg", pid, camera, 0)
    return tmp_path / "people"


@pytest.fixture
def fill():
    """Return a function that makes a store in memory of ``count`` random embeddings, of the cameras a, b and none."""

    def fill(count, dim=4, store=None, first=0):
        store = store if store is not None else LocalStore(ModelRecord("made-up", "made-up", "00", dim))
        features = normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(count + first)))
        rows = range(first, first + count)
        store.add([Entry(f"{row}.jpg", f"p{row % 5}", ("a", "b", None)[row % 3]) for row in rows], features)
        return store

    return fill
