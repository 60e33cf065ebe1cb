"""What a server calls the pictures of a gallery."""

from __future__ import annotations

import pytest
import torch

from reidzoo.gallery import Entry
from reidzoo.gallery.local_store import LocalStore
from reidzoo.gallery.records import ModelRecord
from reidzoo.gallery.server.public_names import PublicNames

SHOWN = {"/data/cam/a/1.jpg": "a/1.jpg", "/data/cam/ab/1.jpg": "ab/1.jpg", "frame 7": "frame 7"}


def test_files_are_named_below_the_folder_of_all():
    store = LocalStore(ModelRecord("made-up", "", "00", 2))
    store.add([Entry(name) for name in SHOWN], torch.ones(3, 2) / 2**0.5)
    names = PublicNames(store)
    for name, shown in SHOWN.items():
        assert names.show(name) == shown and names.find(shown) == name
    for wrong in ("/data/cam/a/1.jpg", "1.jpg", "ab/../a/1.jpg", ""):
        with pytest.raises(LookupError):
            names.find(wrong)


def test_a_gallery_without_files():
    store = LocalStore(ModelRecord("made-up", "", "00", 2))
    store.add([Entry("frame 7")], torch.ones(1, 2) / 2**0.5)
    assert PublicNames(store).find("frame 7") == "frame 7"
