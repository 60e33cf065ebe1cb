"""Keeps two processes out of one run's folder."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from reidzoo import distributed
from reidzoo.errors import UserError

__all__ = ["run_lock"]

NAME = ".lock"
HELD: set[int] = set()
"""The locks of this process, as file descriptors."""


def _let_go() -> None:
    """Close what a forked process has been given, such as a loader's worker, which outlives a killed run by seconds."""
    while HELD:
        os.close(HELD.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process, or for the processes of one run together.

    The lock is the system's (flock) and ends with the process that holds it, so none is ever stale; ``.lock`` says who
    it is, for the message. Where there is no flock (Windows), nothing is locked.

    Raises:
        UserError: another run holds it.
    """
    handle, problem = _take(folder) if distributed.is_main() else (None, "")
    problem = distributed.broadcast_object(problem)
    if problem:
        raise UserError(problem)
    if handle is not None:
        HELD.add(handle)
    try:
        yield
    finally:
        if handle in HELD:  # and this is not a forked process
            HELD.remove(handle)
            with contextlib.suppress(FileNotFoundError):
                (folder / NAME).unlink()  # while it is held, so that it is nobody else's
            os.close(handle)


def _take(folder: Path) -> tuple[int | None, str]:
    """Return the file descriptor that holds the lock, or why there is none."""
    try:
        import fcntl
    except ImportError:
        return None, ""
    path = folder / NAME
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # what cannot be written is not in danger
            return None, ""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 200).decode("utf-8", "replace").strip()
            os.close(handle)
            return None, f"{folder} is in use by another run{f' ({owner})' if owner else ''}; wait for it, or stop it"
        except OSError:  # a file system without locks
            os.close(handle)
            return None, ""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                os.ftruncate(handle, 0)
                os.write(handle, f"{socket.gethostname()}, process {os.getpid()}\n".encode())
                return handle, ""
        os.close(handle)  # its holder removed the file between our two calls
