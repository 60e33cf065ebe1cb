"""Chooses how many processes decode images where the configuration leaves it to the machine."""

from __future__ import annotations

import functools
import logging
import os
import shutil
import sys
from pathlib import Path

import torch

from reidzoo.cores import available_cores
from reidzoo.distributed import world_size

__all__ = ["PREFETCH", "count_with_room", "processes_here", "worker_count"]

logger = logging.getLogger("reidzoo")

MOST = 8
"""Beyond these the main process, which puts their images together, is what one waits for."""
PREFETCH = 2
"""Batches that a worker has ready, in shared memory."""
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
    cores = available_cores() // processes_here()
    return min(MOST, cores if device.type != "cpu" else cores // 2 if cores > 2 else 0, images // WORTH_A_WORKER)


def count_with_room(workers: int, size: int) -> int:
    """Return how many of the ``workers`` can have their batches in shared memory; with one too many a run would hang.

    Args:
        workers: how many there would be.
        size: the bytes of the largest batch.
    """
    room = _free_shared() // max(1, PREFETCH * size)
    if room < workers:
        _say_once(
            f"/dev/shm has too little room for {workers} loader processes (DATALOADER.NUM_WORKERS), so there are "
            f"fewer; the results are the same. More room: Docker's --shm-size"
        )
    return min(workers, room)


def processes_here() -> int:
    """Return how many of the run's processes share this machine, as ``torchrun`` says."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if world_size() > 1 else 1


def _free_shared() -> int:
    """Return this process's part of half of the free shared memory, in bytes; containers often have little."""
    if not Path("/dev/shm").is_dir():
        return sys.maxsize
    return shutil.disk_usage("/dev/shm").free // 2 // processes_here()


@functools.cache
def _say_once(message: str) -> None:
    logger.warning(message)
