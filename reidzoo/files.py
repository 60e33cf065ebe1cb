"""Files that are written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["move_into_place", "write_whole"]


@contextlib.contextmanager
def write_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that becomes ``path`` when the block ends without an error.

    Until then ``path`` is what it was. The temporary file is in the same folder, is on the disk (fsync) before it is
    renamed, and is removed on failure.

    Args:
        path: the file; its folder is made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; give it the mode that open() would have given it.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        move_into_place(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def move_into_place(part: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Rename ``part``, which is on the disk already, to ``path`` in the same folder, and bring that to the disk too."""
    os.replace(part, path)
    with contextlib.suppress(OSError):  # not every system can sync a folder
        handle = os.open(Path(path).parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
