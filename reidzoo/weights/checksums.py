"""Checksums of tensors: a flipped byte in a weight file or a checkpoint is told by the tensor's name."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.weights.first_names import first_names

__all__ = ["ArchiveChecksums", "check_checksums", "checksums", "read_archive_checksums"]

_MOST = 4
"""How many times its own size an archive may unpack to; ``torch.save`` does not compress."""


def checksums(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the CRC-32 of each tensor's bytes. It finds what a disk or a wire has changed, not what a person has."""
    return {name: _crc(tensor.detach().contiguous().reshape(-1).view(torch.uint8)) for name, tensor in state.items()}


def check_checksums(state: Mapping[str, Tensor], expected: Mapping[str, Any], where: str) -> None:
    """Compare tensors with the checksums that were written with them; those without one are not compared.

    Raises:
        WeightsError: some are not what was written; the message names at most ten.
    """
    found = checksums(state)
    _complain([name for name in found if expected.get(name, found[name]) != found[name]], where)


@dataclass(frozen=True)
class ArchiveChecksums:
    """The CRC-32 that a ``torch.save`` file keeps of each of its records, which torch itself does not look at.

    Attributes:
        where: how an error calls the file.
        records: the size in bytes and the checksum of each record; one is the memory of a tensor.
        whole: whether the record that lists the tensors is what was saved.
    """

    where: str
    records: frozenset[tuple[int, int]]
    whole: bool

    def check(self, content: Any) -> None:
        """Compare the tensors in ``content``, what ``torch.load`` read, with the checksums of the records.

        A file that was written without checksums, as torch can be told to, is taken as it is.

        Raises:
            WeightsError: some tensors are not what was saved (the message names at most ten), or what holds them.
        """
        memories: dict[int, bool] = {}
        damaged = []
        for name, tensor in _tensors(content):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in memories:
                memory = torch.empty(0, dtype=torch.uint8).set_(storage)
                memories[storage.data_ptr()] = (len(memory), _crc(memory)) in self.records
            if not memories[storage.data_ptr()]:
                damaged.append(name)
        if self.whole:
            _complain(damaged, self.where)
        elif any(memories.values()):  # so that it has checksums
            _complain(damaged or ["the list of its tensors"], self.where)


def read_archive_checksums(file: str | os.PathLike[str] | io.BytesIO, where: str) -> ArchiveChecksums | None:
    """Return the checksums of a ``torch.save`` file, None for one that is no archive, as those before torch 1.6.

    Raises:
        WeightsError: it unpacks to far more bytes than it has.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            size = file.getbuffer().nbytes if isinstance(file, io.BytesIO) else Path(file).stat().st_size
            unpacked = sum(record.file_size for record in records)
            if unpacked > _MOST * size:
                raise WeightsError(
                    f"{where} has {size:,} bytes and unpacks to {unpacked:,}; torch.save does not compress, so it is "
                    f"something else, and could be made to exhaust the memory"
                )
            whole = all(_is_whole(archive, record) for record in records if record.filename.endswith("data.pkl"))
    except (zipfile.BadZipFile, OSError):
        return None
    return ArchiveChecksums(where, frozenset((record.file_size, record.CRC) for record in records), whole)


def _is_whole(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> bool:
    try:
        archive.read(record)
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError):
        return False
    return True


def _complain(names: list[str], where: str) -> None:
    if names:
        raise WeightsError(
            f"{where} is damaged: by their checksums, these are not what was saved: {first_names(names)}. "
            f"Take another copy of the file"
        )


def _tensors(value: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that have bytes of their own in nested containers, by their dotted paths."""
    if isinstance(value, Tensor):
        if value.layout == torch.strided and not value.is_meta and value.untyped_storage().nbytes():
            yield prefix, value
    elif isinstance(value, Mapping | list | tuple):
        for key, child in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _tensors(child, f"{prefix}.{key}" if prefix else str(key))


def _crc(memory: Tensor) -> int:
    return zlib.crc32(memory.numpy().data)
