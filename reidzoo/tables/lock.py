"""Locks a table's folder, so that two runners do not work in it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reidzoo.errors import UserError

__all__ = ["locked"]


@contextmanager
def locked(folder: Path) -> Iterator[tuple[int, ...]]:
    """Lock ``folder`` for this process and for those that inherit the file descriptors it yields.

    So a runner that was killed leaves the folder locked until the runs that it started have ended too. Where there is
    no flock (Windows), nothing is locked.

    Raises:
        UserError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        yield ()
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder} is in use by another `reidzoo table`, or by runs that a killed one left; "
                f"wait for them, or choose another --output-dir"
            ) from None
        yield (file.fileno(),)
