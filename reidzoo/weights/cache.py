"""Caches published files: downloads each once, checks it at each use, and shares it between processes.

Files lie in ``$REIDZOO_HOME``, by default ``~/.cache/reidzoo``. A file is downloaded under a lock to ``NAME.part``,
checked, synced to the disk and renamed: no partial file is ever taken for complete, and eight processes download it
once.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from reidzoo.errors import WeightsError
from reidzoo.files import move_into_place, write_whole
from reidzoo.weights.download import TransferError, forget_part, from_drive, from_http
from reidzoo.weights.hub import HUB, from_hub
from reidzoo.weights.installed import PACKAGE, installed_file

__all__ = ["SCHEMES", "checked_content", "fetch", "is_cached", "make_once", "sha256_of", "weights_home"]

logger = logging.getLogger("reidzoo")

SCHEMES = ("https:", "http:", "file:", "gdrive:", HUB, PACKAGE)
"""The beginnings of the addresses that ``fetch`` takes."""
IN_PLACE = ("file:", PACKAGE)
"""The beginnings of those whose file is used where it lies."""
PATIENCE = 3.0
"""Seconds to wait for another process before logging it."""
_checked: dict[Path, str] = {}
"""File of the cache -> the checksum that this process has compared it with."""


def weights_home() -> Path:
    """Return the folder of downloaded files: ``$REIDZOO_HOME``, by default ``~/.cache/reidzoo``."""
    return Path(os.environ.get("REIDZOO_HOME") or "~/.cache/reidzoo").expanduser()


def fetch(
    addresses: Sequence[str],
    filename: str,
    *,
    sha256: str = "",
    size: int | None = None,
    folder: Path | None = None,
    title: str = "",
) -> Path:
    """Return the path of a complete local copy of a file, downloading it the first time.

    The copy in the cache is used if it is intact, so nothing needs a network twice. A ``file:`` or ``package:`` address
    is used where it lies, without a copy. A damaged copy is replaced. Where no checksum is given, that of the first
    download is kept next to the file (``NAME.sha256``) and holds from then on.

    Args:
        addresses: where it is published, tried in their order: ``https://``, ``http://``, ``gdrive:<file id>``,
            ``hf:<owner>/<name>/<file>`` for a file of the Hugging Face hub, ``file:<path>``, or
            ``package:<name>/<path>`` for a file of an installed package.
        filename: its path in ``weights_home``.
        sha256: its checksum, or the first digits of it.
        size: its size in bytes.
        folder: where relative ``file:`` paths start from; None for an index that is not on this machine.
        title: how messages call it; by default the file's name.

    Raises:
        WeightsError: no address gives it; the text says what was tried, and where to put the file by hand.
    """
    path, title = weights_home() / filename, title or Path(filename).name
    if is_cached(filename, sha256=sha256, size=size):
        return path
    failures: list[tuple[str, str]] = []
    try:
        with _lock(path):
            fault = _fault(path, size, sha256 or _noted_digest(path))
            if fault == "":
                return path  # another process has downloaded it meanwhile
            if fault is not None:
                logger.warning("%s is damaged (%s); getting %s again", path, fault, title)
            for address in addresses:
                try:
                    return _bring(address, path, sha256, size, folder, title)
                except TransferError as error:
                    failures.append((address, str(error)))
    except (OSError, NotImplementedError) as error:
        local_file = _without_cache(addresses, folder, size, sha256)
        if local_file is not None:
            return local_file
        failures.append((str(path.parent), f"cannot be written to: {error}; set REIDZOO_HOME to another folder"))
        fault = None
    raise WeightsError(_explain(title, path, fault, failures, sha256, size))


def make_once(filename: str, make: Callable[[Path], None]) -> Path:
    """Return a file of the cache that is computed on this machine, the first time or after it was damaged.

    Args:
        filename: its path in ``weights_home``.
        make: writes the file at the path that it is given, whole or not at all.

    Raises:
        WeightsError: the cache cannot be written, and what ``make`` raises.
    """
    path = weights_home() / filename
    if is_cached(filename):
        return path
    try:
        with _lock(path):
            if not is_cached(filename):
                make(path)
                digest = sha256_of(path)
                _write_note(path, digest)
                _checked[path] = digest
    except (OSError, NotImplementedError) as error:
        raise WeightsError(f"{path.parent} cannot be written to: {error}; set REIDZOO_HOME to another folder") from None
    return path


def is_cached(filename: str, *, sha256: str = "", size: int | None = None) -> bool:
    """Return whether the copy in the cache is there and intact; the arguments are those of ``fetch``."""
    path = weights_home() / filename
    return _fault(path, size, sha256 or _noted_digest(path)) == ""


def checked_content(path: Path) -> bytes | None:
    """Return the content of a file of the cache that was checked, None for any other file.

    What is hashed is what is read: a file that somebody has exchanged since then is not taken for the one that was
    checked.

    Raises:
        WeightsError: it is no longer what it was.
    """
    expected = _checked.get(path)
    if expected is None:
        return None
    content = path.read_bytes()
    if not hashlib.sha256(content).hexdigest().startswith(expected):
        raise WeightsError(f"{path} was exchanged since its checksum was compared; who else can write to this folder?")
    return content


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _bring(address: str, path: Path, sha256: str, size: int | None, folder: Path | None, title: str) -> Path:
    """Download the file from one address into the cache, or find it where it lies on this machine.

    Raises:
        TransferError: it cannot be had from there, or what came is not it.
        OSError: the cache cannot be written.
    """
    if address.startswith(IN_PLACE):
        return _local_file(address, folder, sha256, size)
    part = path.with_name(path.name + ".part")
    again = _transfer(address, part, sha256, size, title)
    fault = _fault(part, size, sha256)
    if fault and again:  # a part of something else may have been continued
        forget_part(part)
        _transfer(address, part, sha256, size, title)
        fault = _fault(part, size, sha256)
    if fault:
        forget_part(part)
        raise TransferError(f"what came is not the file: {fault}")
    digest = sha256_of(part)
    _sync(part)
    move_into_place(part, path)
    forget_part(part)
    _write_note(path, digest)
    _checked[path] = digest
    logger.info("%s: %s, %s bytes, SHA-256 %s", title, address, f"{path.stat().st_size:,}", digest)
    return path


def _transfer(address: str, part: Path, sha256: str, size: int | None, title: str) -> bool:
    """Download the bytes to ``part``; returns whether an older part was continued."""
    if address.startswith("gdrive:"):
        forget_part(part)
        return from_drive(address.removeprefix("gdrive:"), part, title=title, size=size)
    if address.startswith(HUB):
        return from_hub(address.removeprefix(HUB), part)
    if address.startswith(("http:", "https:")):
        return from_http(address, part, title=title, size=size, checked=bool(sha256))
    raise TransferError(f"unknown kind of address; known are {', '.join(SCHEMES)}")


def _local_file(address: str, folder: Path | None, sha256: str, size: int | None) -> Path:
    """Return the path that a ``file:`` or ``package:`` address means."""
    path = _installed(address) if address.startswith(PACKAGE) else _local(address, folder)
    try:
        fault = _fault(path, size, sha256)
    except OSError as error:
        fault = str(error)
    if fault != "":
        raise TransferError(f"{path} does not exist" if fault is None else f"{path}: {fault}")
    return path


def _installed(address: str) -> Path:
    try:
        path = installed_file(address)
    except ValueError as error:
        raise TransferError(str(error)) from None
    if path is None:
        name = address.removeprefix(PACKAGE).partition("/")[0]
        raise TransferError(f"no installed package has this file; pip install {name} (--no-deps is enough)")
    return path


def _local(address: str, folder: Path | None) -> Path:
    if address.startswith("file://"):
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))
    path = Path(address.removeprefix("file:")).expanduser()
    if path.is_absolute():
        return path
    if folder is None:
        raise TransferError("a relative path, and its index is not on this machine")
    return Path(os.path.normpath(folder / path))


def _without_cache(addresses: Sequence[str], folder: Path | None, size: int | None, sha256: str) -> Path | None:
    """Return the file of a good address that needs no cache; None without one."""
    for address in addresses:
        if address.startswith(IN_PLACE):
            with contextlib.suppress(TransferError):
                return _local_file(address, folder, sha256, size)
    return None


def _fault(path: Path, size: int | None, sha256: str) -> str | None:
    """Return the reason why a file is not intact: "" if it is, None if there is no file."""
    if not path.is_file():
        return None
    actual_size = path.stat().st_size
    if size is not None and actual_size != size:
        return f"it has {actual_size:,} bytes, and is to have {size:,}"
    if not actual_size:
        return "it is empty"
    if sha256:
        if not (digest := sha256_of(path)).startswith(sha256):
            return f"its SHA-256 is {digest}, and is to {'begin with' if len(sha256) < 64 else 'be'} {sha256}"
        if path.is_relative_to(weights_home()):  # a file of the user's own may be written again
            _checked[path] = digest
    return ""


def _noted_digest(path: Path) -> str:
    """Return the checksum of the first download; "" for a file that was put there by hand."""
    try:
        match = re.match(r"[0-9a-f]{64}\b", _note(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return match[0] if match else ""


def _write_note(path: Path, digest: str) -> None:
    with write_whole(_note(path)) as file:
        file.write(f"{digest}  {path.name}\n".encode())


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``; the system releases it if the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        logger.info("waiting for another process that is getting %s", path.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _sync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _explain(
    title: str, path: Path, fault: str | None, failures: Sequence[tuple[str, str]], sha256: str, size: int | None
) -> str:
    lines = [f"cannot get {title}. Tried:", *(f"  {address}: {reason}" for address, reason in failures)]
    if fault:
        note = f" and {_note(path).name}" if _note(path).exists() else ""
        lines.append(f"The copy {path} is damaged: {fault}. Delete it{note}, and run again.")
    facts = [f"{size:,} bytes"] if size is not None else []
    facts += [f"SHA-256 {sha256}{'...' if len(sha256) < 64 else ''}"] if sha256 else []
    known = f" ({', '.join(facts)})" if facts else ""
    lines.append(
        f"Without network, put the file by hand at {path}{known}. "
        f"The folder is $REIDZOO_HOME, by default ~/.cache/reidzoo."
    )
    return "\n".join(lines)
