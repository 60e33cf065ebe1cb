from __future__ import annotations

import pytest
import torch

from reidzoo.engine import workers


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
    monkeypatch.setattr(workers, "_cores", lambda: cores)
    assert workers.worker_count(setting, images, torch.device(device)) == expected


def test_processes_share_the_cores_of_their_machine(monkeypatch):
    monkeypatch.setattr(workers, "_cores", lambda: 16)
    monkeypatch.setattr(workers, "world_size", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert workers.worker_count("auto", 10**6, torch.device("cuda")) == 4
