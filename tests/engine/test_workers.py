from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.engine import image_table, workers


@pytest.mark.parametrize(
    ("setting", "cores", "device", "images", "expected"),
    [
        (3, 2, "cpu", 10, 3),
        (0, 64, "cuda", 10**6, 0),
        ("auto", 2, "cpu", 10**6, 0),
        ("auto", 6, "cpu", 10**6, 3),
        ("auto", 64, "cpu", 10**6, 8),
        ("auto", 2, "cuda", 10**6, 2),
        ("auto", 64, "cuda", 10**6, 8),
        ("auto", 64, "cuda", 1100, 2),
        ("auto", 64, "cuda", 0, 0),
    ],
)
def test_workers_are_as_many_as_the_machine_has_use_for(monkeypatch, setting, cores, device, images, expected):
    monkeypatch.setattr(workers, "available_cores", lambda: cores)
    assert workers.worker_count(setting, images, torch.device(device)) == expected


def test_processes_share_the_cores_of_their_machine(monkeypatch):
    monkeypatch.setattr(workers, "available_cores", lambda: 16)
    monkeypatch.setattr(workers, "world_size", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert workers.worker_count("auto", 10**6, torch.device("cuda")) == 4


def test_one_process_has_its_machine_to_itself_whatever_a_launcher_has_left_in_the_environment(monkeypatch):
    monkeypatch.setattr(workers, "available_cores", lambda: 16)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert workers.worker_count("auto", 10**6, torch.device("cuda")) == 8


@pytest.mark.parametrize(("room", "used"), [(0, 0), (29_000, 2), (2 * 3 * 6144, 3), (2**40, 3)])
def test_workers_that_would_fill_a_small_dev_shm_are_left_out(tmp_path, monkeypatch, caplog, room, used):
    """Docker gives 64 MB, and the run would hang. Two batches of 2 x 3 x 32 x 16 bytes are ready in each process."""
    Image.new("RGB", (16, 32), (9, 8, 7)).save(tmp_path / "0.png")
    monkeypatch.setattr(workers.shutil, "disk_usage", lambda path: SimpleNamespace(free=room))
    workers._say_once.cache_clear()
    started = []

    def loader(work, **options):
        started.append(options["num_workers"])
        return map(options["collate_fn"], work)

    monkeypatch.setattr(image_table, "DataLoader", loader)
    table = image_table.ImageTable([str(tmp_path / "0.png")], (32, 16), "bicubic", cache="off")
    with caplog.at_level(logging.WARNING, "reidzoo"):
        for _ in range(2):
            assert all(batch.shape == (2, 3, 32, 16) for batch in table.batches([np.zeros(2, int)] * 4, 3))
    assert started == [used, used]
    assert caplog.text.count("/dev/shm has too little room for 3 loader processes") == (used < 3)
