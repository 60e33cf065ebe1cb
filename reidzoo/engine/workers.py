"""How many processes decode images where the configuration leaves it to the machine."""

from __future__ import annotations

import os

import torch

from reidzoo.distributed import world_size

__all__ = ["processes_here", "worker_count"]

MOST = 8
"""Beyond these the main process, which puts their images together, is what one waits for."""
WORTH_A_WORKER = 512
"""Fewer images than this are decoded sooner than a worker has started."""


def worker_count(setting: int | str, images: int, device: torch.device) -> int:
    """Return how many worker processes decode ``images``.

    Args:
        setting: a number, or ``auto``: on a GPU a worker for each core, 8 at most; where the CPU itself computes, half
            as many, none on two cores; none either for so few images that they are read before a worker has started.
        images: how many are to be decoded.
        device: where the model computes.
    """
    if isinstance(setting, int):
        return setting
    cores = _cores() // processes_here()
    return min(MOST, cores if device.type != "cpu" else cores // 2 if cores > 2 else 0, images // WORTH_A_WORKER)


def processes_here() -> int:
    """Return how many of the run's processes share this machine, as ``torchrun`` says."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if world_size() > 1 else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
