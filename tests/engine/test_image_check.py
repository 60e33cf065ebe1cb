"""``ImageCheck``: how many threads open images."""

from __future__ import annotations

import os
import threading

import pytest
from PIL import Image

from reidzoo.engine.image_check import ImageCheck


@pytest.mark.parametrize(("cores", "expected"), [(2, 2), (64, 8)])
def test_images_are_opened_by_as_many_threads_as_this_process_has_cores(monkeypatch, tmp_path, cores, expected):
    Image.new("RGB", (8, 16)).save(tmp_path / "a.png")
    started = []
    start = threading.Thread.start
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread) or start(thread))
    check = ImageCheck([str(tmp_path / "a.png")])
    check.run()
    assert len(started) == expected and check.opened == 1
