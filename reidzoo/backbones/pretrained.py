"""Published ImageNet weights of the backbones: where they are, fetching them once, loading them strictly."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.models.loading import load_weights, safe_read, unwrap_state

__all__ = ["fetch", "load_pretrained", "weights_home"]

OURS = "backbone."
"""How the names begin that a checkpoint of ours has of a backbone."""


def weights_home() -> Path:
    """Return the folder of downloaded weights: ``$REIDZOO_HOME``, by default ``~/.cache/reidzoo``."""
    return Path(os.environ.get("REIDZOO_HOME") or "~/.cache/reidzoo").expanduser()


def fetch(url: str, filename: str = "") -> Path:
    """Return the local copy of a published file, downloading it the first time.

    torch's convention ``<name>-<first digits of the SHA-256>.pth`` is checked after the download and at each later
    use, so that a truncated file put there by hand is noticed.

    Args:
        url: an ``http(s)://`` or ``file://`` address, or ``gdrive:<file id>``. Google Drive's files carry no checksum.
        filename: the name in `weights_home`; by default the last part of the address.

    Raises:
        WeightsError: the download failed, or the file does not have the checksum in its name.
    """
    path = weights_home() / (filename or url.rsplit("/", 1)[-1])
    found = re.search(r"-([0-9a-f]{8,})\.", path.name)
    digest = found.group(1) if found else ""
    if path.exists():
        if digest and not _sha256(path).startswith(digest):
            raise WeightsError(f"{path} is damaged: its SHA-256 does not begin with {digest}. Delete it and run again.")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, path, digest)
    # gdown's and requests' own errors are plain Exceptions, and urllib's are OSErrors: all mean the same to the user.
    except Exception as error:
        raise WeightsError(
            f"cannot download {url}: {error}. Without network, put the file by hand at {path} "
            f"(the folder is $REIDZOO_HOME, or ~/.cache/reidzoo), or give a file's path as 'pretrained'."
        ) from error
    return path


def _download(url: str, path: Path, digest: str) -> None:
    """Download to a temporary file in the same folder, then rename, so that no half file is ever taken for whole."""
    if not url.startswith("gdrive:"):
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest or None)
        return
    import gdown

    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if gdown.download(id=url.removeprefix("gdrive:"), output=str(part)) is None:
            raise OSError("Google Drive did not give the file")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def load_pretrained(backbone: nn.Module, source: str | tuple[str, str], key_map: Callable[[str], str | None]) -> None:
    """Load weights into a backbone; every key except those that ``key_map`` drops has to fit.

    Args:
        backbone: where the weights go.
        source: the path of a file, or ``(address, file name)`` for `fetch`. Of a run's checkpoint the model's backbone
            is taken.
        key_map: name in the file -> name in the backbone, or None for what a backbone does not have (``fc``).

    Raises:
        WeightsError: no such file, no download, or a key or shape that does not fit.
    """
    path = source if isinstance(source, str) else fetch(*source)
    prefix = OURS if any(name.startswith(OURS) for name in unwrap_state(safe_read(path), str(path))) else ""
    load_weights(backbone, path, prefix=prefix, key_map=key_map)
