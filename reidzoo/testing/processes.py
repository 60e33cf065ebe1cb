"""Two processes on this machine, for what is to be the same in both."""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from torch import multiprocessing as torch_processes

__all__ = ["can_fork", "in_two_processes"]


def can_fork() -> bool:
    """Return whether this system can make a process that begins with a copy of this one's memory."""
    return "fork" in multiprocessing.get_all_start_methods()


def in_two_processes(work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return what ``work(*arguments)`` returns in each of two processes of one gloo group, by rank.

    They are copies of this process, so that ``work`` may be any function, and they talk over the loopback device.

    Args:
        work: returns tensors and plain values.
        *arguments: each process has its own copy of them.

    Raises:
        RuntimeError: ``work`` raised in one of them; the message has the error and its traceback.
    """
    with tempfile.TemporaryDirectory() as folder:
        torch_processes.start_processes(_run, (folder, work, arguments), nprocs=2, start_method="fork")
        ended = [torch.load(os.path.join(folder, f"{rank}.pth"), weights_only=True) for rank in range(2)]
    failed = sorted((end["time"], rank, end["error"]) for rank, end in enumerate(ended) if "error" in end)
    if failed:  # the other one has failed too, for want of this one
        raise RuntimeError(f"in process {failed[0][1]}: {failed[0][2]}")
    return [end["result"] for end in ended]


def _run(rank: int, folder: str, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)  # the copy has none of the other threads that OpenMP may think it has
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
    address, limit = f"file://{folder}/rendezvous", timedelta(seconds=120)
    try:
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2, timeout=limit)
        end = {"result": work(*arguments)}
        distributed.barrier()
    except Exception as error:
        end = {"time": time.monotonic(), "error": f"{type(error).__name__}: {error}\n{traceback.format_exc()}"}
    torch.save(end, os.path.join(folder, f"{rank}.pth"))
    # The group ends with the process: taken down here it waits, holding Python's lock, for a thread that may need it.
