"""Reads and writes the file of pseudo labels: ``path,label``, one line per training image."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

import numpy as np

from reidzoo.datasets.base import relative_path
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.files import write_text

__all__ = ["read_pseudo_labels", "write_pseudo_labels"]

HEADER = ["path", "label"]


def write_pseudo_labels(
    path: str | os.PathLike[str], records: Sequence[Record], labels: Sequence[int] | np.ndarray, dataset_folder: str
) -> None:
    """Write one line per record, atomically: a reader sees the old file or the new one, never a part of it.

    Args:
        path: the CSV file; its folder is made if it is not there.
        records: the training records (N).
        labels: the label of each, integers (N,); -1 means discarded.
        dataset_folder: what the paths are written relative to, with forward slashes.

    Raises:
        ValueError: there are not as many labels as records, or some label is below -1.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(records),) or not np.issubdtype(labels.dtype, np.integer) or (labels < -1).any():
        raise ValueError(f"expected {len(records)} integer labels from -1 on, got {labels.dtype} {labels.shape}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((relative_path(r.path, dataset_folder), label) for r, label in zip(records, labels.tolist()))
    write_text(path, text.getvalue())


def read_pseudo_labels(path: str | os.PathLike[str]) -> dict[str, int]:
    """Read a file of pseudo labels as {path as written: label}; -1 means discarded.

    Raises:
        DatasetError: there is no such file, or some line is not ``path,label``; the message has the line.
    """
    labels: dict[str, int] = {}
    if not os.path.isfile(path):
        raise DatasetError(f"{path}: no such file of pseudo labels; the stage that clusters writes pseudo_labels.csv.")
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if header != HEADER:
            raise DatasetError(f"{path}:1: the columns are {','.join(header) or 'missing'}; expected path,label")
        for row in reader:
            if not row:
                continue
            if len(row) != 2 or not row[1].removeprefix("-").isdecimal() or int(row[1]) < -1:
                raise DatasetError(
                    f"{path}:{reader.line_num}: expected a path and a label from -1 on, got {','.join(row)}"
                )
            if row[0] in labels:
                raise DatasetError(f"{path}:{reader.line_num}: {row[0]} is listed twice")
            labels[row[0]] = int(row[1])
    return labels
