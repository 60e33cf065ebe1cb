"""Downloads one file from one address: over http(s) with resume, or from Google Drive through gdown."""

from __future__ import annotations

import contextlib
import html
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from reidzoo.version import __version__

__all__ = ["TransferError", "forget_part", "from_drive", "from_http"]

TIMEOUT = 30.0
"""Seconds to wait for a server, for the connection and between two blocks."""
ATTEMPTS = 3
"""How often in a row a transfer may break without a byte gained."""
PAUSE = 1.0
"""Seconds before the first repetition; each further one waits twice as long."""
BLOCK = 1 << 18
_PASSING = (429, 500, 502, 503, 504)
"""HTTP status codes of errors that may pass."""
Response = http.client.HTTPResponse | urllib.error.HTTPError


class TransferError(Exception):
    """An address did not give the file; the text says why.

    Attributes:
        passing: whether the same may work on another try.
    """

    def __init__(self, reason: str, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


def from_http(
    url: str,
    part: Path,
    *,
    title: str = "",
    size: int | None = None,
    checked: bool = False,
    most: int | None = None,
) -> bool:
    """Download ``url`` to ``part``, resuming where ``part`` ends and where earlier attempts were cut.

    A part of another state of the file is not continued: the request names the state it is of (If-Range). If the server
    has no validators, a part is continued only if the whole file is checked afterwards.

    Args:
        url: an ``http://`` or ``https://`` address.
        part: the unfinished file; a note of its origin is next to it (``.json``). It stays if the transfer fails.
        title: what the progress bar says.
        size: the expected number of bytes, if known.
        checked: whether a hash will be checked afterwards, so that any part may be tried.
        most: the most bytes it may have, where ``size`` is not known; a longer body is cut off and forgotten.

    Returns:
        Whether the file was continued, not brought in one piece.

    Raises:
        TransferError: it cannot be had here.
        OSError: ``part`` cannot be written.
    """
    best, failures, continued = _length(part), 0, False
    while True:
        try:
            return _attempt(url, part, title, size, checked, most) or continued
        except TransferError as error:
            if not error.passing:
                raise
            length = _length(part)
            failures = 0 if length > best else failures + 1
            if failures >= ATTEMPTS:
                raise
            best, continued = max(best, length), True
            time.sleep(PAUSE * 2 ** max(failures - 1, 0))


def from_drive(file_id: str, part: Path, *, title: str = "", size: int | None = None) -> bool:
    """Download a file of Google Drive to ``part``, past the page that asks for confirmation of large files.

    gdown keeps an unfinished file of its own next to ``part`` and continues it.

    Args:
        file_id: Google Drive's name of the file.
        part: where it goes.
        title: what the progress bar says.
        size: the bytes it is to have, if known; a longer body is cut off.

    Returns:
        Whether the file was continued, not brought in one piece.

    Raises:
        TransferError: Google Drive did not give it.
    """
    import gdown

    output = part.with_name(f"{part.name}.gdrive")
    with contextlib.suppress(FileNotFoundError):
        output.unlink()  # gdown would take it for the finished file
    leftover = list(_drive_parts(output))
    with _bar(title, None, 0) as bar:

        def progress(done: int, total: int | None) -> None:
            _refuse_length(done, size)
            bar.total = total
            bar.update(done - bar.n)

        for again in (True, False):
            try:
                gdown.download(
                    id=file_id, output=str(output), quiet=True, resume=True, retries=ATTEMPTS, timeout=TIMEOUT,
                    progress=progress,
                )  # fmt: skip
                break
            # gdown raises its own errors and those of requests, urllib3 and the system, and all mean the same here.
            except Exception as error:
                if not (again and leftover):
                    raise TransferError(_one_line(error)) from error
                for stale in leftover:  # it may be of another file, or Drive does not continue it
                    stale.unlink(missing_ok=True)
                leftover = []
    os.replace(output, part)
    return bool(leftover)


def forget_part(part: Path) -> None:
    """Remove an unfinished file and its note."""
    for path in (part, _note(part)):
        path.unlink(missing_ok=True)


def _attempt(url: str, part: Path, title: str, size: int | None, checked: bool, most: int | None) -> bool:
    start, validator = _continue_from(url, part, checked)
    with _open(url, start, validator) as response:
        if response.status == 416:  # nothing follows what is there
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return True
            forget_part(part)
            raise TransferError("the server and the unfinished file disagree on its size", passing=True)
        start, total = _range(response, start)
        block = _read(response)
        _refuse_pages(block, start)
        if size is not None and total is not None and total != size:
            raise TransferError(f"it has {total:,} bytes there, and is to have {size:,}")
        most = size if size is not None else most
        _refuse_length(total or 0, most)
        if start == 0:
            _write_note(part, url, response)
        with open(part, "r+b" if start else "wb") as file, _bar(title, total, start) as bar:
            file.seek(start)
            file.truncate()
            while block:
                if most is not None and file.tell() + len(block) > most:
                    forget_part(part)
                    _refuse_length(file.tell() + len(block), most)
                file.write(block)
                bar.update(len(block))
                file.flush()
                block = _read(response)
            os.fsync(file.fileno())
            got = file.tell()
    if total is not None and got < total:
        raise TransferError(f"the connection was cut after {got:,} of {total:,} bytes", passing=True)
    return start > 0


def _refuse_length(length: int, most: int | None) -> None:
    if most is not None and length > most:
        raise TransferError(f"more than the {most:,} bytes came that it may have")


def _open(url: str, start: int, validator: str) -> Response:
    headers = {"User-Agent": f"reidzoo/{__version__}"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error
        error.close()
        raise TransferError(f"HTTP {error.code} {error.reason}", passing=error.code in _PASSING) from None
    except TimeoutError:
        raise TransferError(f"no answer within {TIMEOUT:g} s") from None
    except urllib.error.URLError as error:
        raise TransferError(_one_line(error.reason)) from None
    except ConnectionError as error:
        raise TransferError(_one_line(error), passing=True) from None
    # A malformed address is one of the latter two.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TransferError(_one_line(error)) from None


def _read(response: Response) -> bytes:
    try:
        return response.read(BLOCK)
    except TimeoutError:
        raise TransferError(f"nothing came for {TIMEOUT:g} s", passing=True) from None
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(f"the connection was cut: {_one_line(error)}", passing=True) from None


def _range(response: Response, start: int) -> tuple[int, int | None]:
    """Return the offset of the body, 0 if the server has no ranges, and the whole file's bytes if it tells them."""
    length = response.headers.get("Content-Length")
    if response.status != 206:
        return 0, int(length) if length and length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        raise TransferError(f"asked for what follows byte {start:,}, the server gave something else")
    return start, None if match[2] == "*" else int(match[2])


def _refuse_pages(block: bytes, start: int) -> None:
    """Raise if the answer is a web page: a login, a portal of the network, a page about the file."""
    if start or not re.match(rb"\s*<(!doctype|html|head|body|\?xml|!--)", block[:200], re.IGNORECASE):
        return
    title = re.search(r"<title[^>]*>(.*?)</title>", block.decode("utf-8", "replace"), re.IGNORECASE | re.DOTALL)
    shown = f" ({' '.join(html.unescape(title[1]).split())[:80]!r})" if title else ""
    raise TransferError(f"it gave a web page{shown} instead of the file")


def _continue_from(url: str, part: Path, checked: bool) -> tuple[int, str]:
    """Return how many bytes of ``part`` may be kept, and the validator for the request."""
    length = _length(part)
    if not length:
        return 0, ""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        validator = note["validator"] if note["url"] == url else ""
    except (OSError, ValueError, KeyError, TypeError):
        validator = ""
    return (length, validator) if validator or checked else (0, "")


def _write_note(part: Path, url: str, response: Response) -> None:
    tag = response.headers.get("ETag", "")
    validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    _note(part).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _drive_parts(output: Path) -> Iterator[Path]:
    return output.parent.glob(f"{output.name}????????.part")


def _bar(title: str, total: int | None, start: int) -> tqdm:
    # disable=None: no bar where the errors do not go to a terminal.
    return tqdm(desc=title, total=total, initial=start, unit="B", unit_scale=True, leave=False, disable=None)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
