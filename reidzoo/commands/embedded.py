"""Images that ``reidzoo extract`` embedded, for the commands that go on from there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reidzoo.errors import UserError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Embedded", "read_embedded"]


class Embedded(NamedTuple):
    """What ``reidzoo extract`` left: features (N, D) and the files.

    Identities and cameras are numbered, int64 (N,), -1 where unknown; their names are as they were written.
    """

    features: np.ndarray
    paths: list[str]
    pids: np.ndarray
    camids: np.ndarray
    pid_names: list[str]
    camera_names: list[str]


def read_embedded(folder: Path) -> Embedded:
    """Return what ``reidzoo extract`` left in a folder.

    Raises:
        UserError: it is not such a folder.
    """
    import csv
    from zipfile import BadZipFile

    import numpy as np

    try:
        features = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
        with open(folder / "index.csv", encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, EOFError, MemoryError, OverflowError, SyntaxError, BadZipFile, csv.Error) as error:
        raise UserError(f"{folder} is not a folder that reidzoo extract has written: {error}") from None
    for number, row in enumerate(rows, 2):
        if lacking := [column for column in ("path", "pid", "camid") if row.get(column) is None]:
            raise UserError(f"{folder / 'index.csv'}:{number}: no {', '.join(lacking)}; reidzoo extract writes it anew")
        if row.get("row", str(number - 2)) != str(number - 2):
            raise UserError(
                f"{folder / 'index.csv'}:{number}: row {row['row']} is out of its place; sort the rows by it"
            )
    if not isinstance(features, np.ndarray) or features.ndim != 2 or len(features) != len(rows) or not rows:
        shape = getattr(features, "shape", "no array")
        raise UserError(f"{folder}: features.npy is {shape}, and index.csv has {len(rows):,} images")
    if features.dtype.kind not in "fiu" or not features.shape[1]:
        raise UserError(
            f"{folder}: features.npy holds {features.dtype} of shape {features.shape}, which are not features"
        )
    cameras = [row["camid"].strip() for row in rows]
    pids = [row["pid"].strip() for row in rows]
    return Embedded(features, [row["path"] for row in rows], _numbered(pids), _numbered(cameras), pids, cameras)


def _numbered(names: Sequence[str]) -> np.ndarray:
    """Return a number for each name, the same for the same name, -1 for an unknown one."""
    import numpy as np

    numbers = np.unique(names, return_inverse=True)[1].reshape(-1)
    return np.where(np.isin(names, ("", "-1")), -1, numbers)
