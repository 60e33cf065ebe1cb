"""Reads a safetensors file: tensors that are what was written, and the metadata of the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.weights.cache import checked_content
from reidzoo.weights.checksums import check_checksums

__all__ = ["KEY", "read_metadata", "read_safetensors"]

KEY = "reidzoo"
"""The metadata with what a model file holds besides tensors, in JSON."""


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the metadata and the tensors of a file, on the CPU.

    Both come from the bytes that were compared with a checksum, if the file is one of the cache. Tensors are compared
    with the checksums that a model file has of each.

    Raises:
        WeightsError: it is missing, damaged, or was exchanged since its checksum was compared.
    """
    with _named_if_damaged(path):
        content = checked_content(path)
        if content is not None:
            metadata, state = _metadata(content), load(content)
        else:
            with safe_open(path, framework="pt", device="cpu") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                metadata = file.metadata() or {}
    check_checksums(state, _expected(metadata.get(KEY, "{}")), str(path))
    return metadata, state


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a file, without its tensors.

    Raises:
        WeightsError: as ``read_safetensors``.
    """
    with _named_if_damaged(path):
        content = checked_content(path)
        if content is not None:
            return _metadata(content)
        with safe_open(path, framework="pt", device="cpu") as file:
            return file.metadata() or {}


@contextmanager
def _named_if_damaged(path: Path) -> Iterator[None]:
    """Make what reading a file raises, and its absence, a WeightsError that names it."""
    if not path.is_file():
        raise WeightsError(f"no such model file: {path}")
    try:
        yield
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file: {error}") from error


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of a file's bytes: the length of a header, 8 bytes, then the header, which is JSON."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict | None) or not all(isinstance(text, str) for text in (metadata or {}).values()):
        raise ValueError("its metadata is not a mapping of strings")
    return metadata or {}


def _expected(text: str) -> dict[str, Any]:
    """Return the checksums in a model file's own metadata; none for an older file, or one that holds weights only."""
    try:
        return dict(json.loads(text)["checksums"]["tensors"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return {}
