"""Writes files and folders whole or not at all, and shows paths and commands without the folders of one machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

__all__ = [
    "atomic_save", "move_into_place", "printable", "show_command", "show_path", "write_folder", "write_text",
    "write_whole",
]  # fmt: skip


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
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; give it the mode that open() would have given it.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        move_into_place(name, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = os.fspath(path)  # a full disk does not say what was written, or says the temporary name
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # no file is called "", where none could be made
        raise


@contextlib.contextmanager
def write_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Make a folder beside ``path`` that becomes ``path`` when the block ends without an error, and nothing if not.

    Args:
        path: a folder that is not there, which the caller checks; the folder that it lies in is made.
    """
    path = Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        work.mkdir()
        yield work
        os.rename(work, path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def move_into_place(part: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Rename ``part``, which is synced to disk already, to ``path`` in the same folder, and sync the renaming too."""
    os.replace(part, path)
    with contextlib.suppress(OSError):  # not every system can sync a folder
        handle = os.open(Path(path).parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 so that ``path`` always holds a whole file, the old one or the new."""
    with write_whole(path) as file:
        file.write(text.encode("utf-8"))


def atomic_save(content: Any, path: str | os.PathLike[str]) -> None:
    """Write with ``torch.save`` so that ``path`` always holds a whole file, the old one or the new.

    Args:
        content: plain containers, numbers and tensors; ``safe_read`` refuses anything else.
        path: the file; its folder is made.
    """
    import torch  # takes seconds, and not every command writes a checkpoint

    with write_whole(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # of its own bookkeeping, where the disk is full
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def printable(text: str) -> str:
    """Return the text with the bytes of a file's name that are not UTF-8 written out, ``caf\\udce9.jpg``."""
    return text.encode("utf-8", "backslashreplace").decode()


def show_path(path: str | os.PathLike[str]) -> str:
    """Return the path as a user would type it: relative where it is in the working directory."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def show_command(words: Iterable[str]) -> str:
    """Return a command's words as one line, without the folders of one machine: absolute paths become names."""
    return " ".join(Path(word).name if Path(word).is_absolute() else word for word in words)
