"""Downloads published ImageNet weights of the backbones, and loads them strictly."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.weights.cache import fetch
from reidzoo.weights.loading import load_weights, local_file, safe_read, unwrap_state

__all__ = ["fetch_published", "load_pretrained"]

OURS = "backbone."
"""The prefix of a backbone's names in a checkpoint of ours."""


def fetch_published(url: str, filename: str = "") -> Path:
    """Return the local copy of a published file, downloading it the first time.

    torch's convention ``<name>-<first digits of the SHA-256>.pth`` is checked after the download and at each later
    use, so that a truncated file put there by hand is noticed.

    Args:
        url: an address as ``fetch`` takes it.
        filename: the name in ``weights_home()``; by default the last part of the address.

    Raises:
        WeightsError: the download failed, or the file does not have the checksum in its name.
    """
    filename = filename or url.rsplit("/", 1)[-1]
    digest = re.search(r"-([0-9a-f]{8,})\.", filename)
    try:
        return fetch([url], filename, sha256=digest[1] if digest else "")
    except WeightsError as error:
        raise WeightsError(f"{error}\nOr give the path of a file as 'pretrained'.") from None


def load_pretrained(backbone: nn.Module, source: str | tuple[str, str], key_map: Callable[[str], str | None]) -> None:
    """Load weights into a backbone; every key except those that ``key_map`` drops has to fit.

    Args:
        backbone: where the weights go.
        source: the path of a file, ``zoo://NAME``, or ``(address, file name)`` for ``fetch_published``. Of a run's
            checkpoint, and of a model file, the model's backbone is taken.
        key_map: name in the file -> name in the backbone, or None for what a backbone does not have (``fc``).

    Raises:
        WeightsError: no such file, no download, or a key or shape that does not fit.
    """
    path = local_file(source) if isinstance(source, str) else fetch_published(*source)
    prefix = OURS if any(name.startswith(OURS) for name in unwrap_state(safe_read(path), str(path))) else ""
    load_weights(backbone, path, prefix=prefix, key_map=key_map)
