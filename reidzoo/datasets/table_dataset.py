"""The reader of your own images that a table in memory lists, such as a DataFrame."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reidzoo.checks import TEXT, check, optional
from reidzoo.datasets.base import SPLITS, Dataset, absent_files
from reidzoo.datasets.numbering import number_cameras, number_names
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError

__all__ = ["COLUMNS", "NEEDED_COLUMNS", "TableDataset", "TableRow"]

NEEDED_COLUMNS = ("path", "pid", "split")
COLUMNS = (*NEEDED_COLUMNS, "camid", "timeid", "viewid")
LOWEST = {"pid": -1, "camid": 0, "timeid": -1, "viewid": -1}


class TableRow(NamedTuple):
    """One image of a table: where it stands, for messages, and its cells as text, "" where there is nothing."""

    place: str
    path: str
    pid: str
    split: str
    camid: str = ""
    timeid: str = ""
    viewid: str = ""


class TableDataset(Dataset):
    """Images that a table lists, one a row::

        TableDataset(pandas.DataFrame({"path": ["a.jpg"], "pid": ["anna"], "camid": ["gate"], "split": ["train"]}))

    ``path`` is relative to ``folder``, or absolute; ``split`` is train, query or gallery. ``pid`` and ``camid`` are
    whole numbers, or names: a column with a name in it, or pids with 1 and 01, are numbered from 0 in sorted order over
    all splits. The pid -1 is junk in the gallery, and no label in the training split. ``camid`` may be empty or absent
    where cameras are unknown. ``timeid`` and ``viewid`` are numbers, empty where unknown; further columns are ignored.

    Args:
        table: a pandas DataFrame, or a mapping of columns to their values.
        folder: what paths are relative to.
        protocol: the evaluation protocol; by default ``market1501``, which leaves out gallery images with the query's
            pid and camera, or ``camera_free`` if no query or gallery image has a camera.

    Attributes:
        pid_of: the number of each identity's name.
        camid_of: the number of each camera's name.

    Raises:
        DatasetError: a column is missing, columns differ in length, a row is wrong, some images have a camera and
            others do not, or an image is not there; the message has the row.
    """

    name = "table"

    def __init__(
        self, table: Mapping[str, Sequence[Any]] | Any, folder: str | os.PathLike[str] = os.curdir,
        protocol: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(folder, os.curdir)
        self.folder = os.path.abspath(self.folder)
        lacking = [column for column in NEEDED_COLUMNS if column not in table]
        if lacking:
            raise DatasetError(f"TableDataset: the table has no column {', '.join(lacking)}; needed: path,pid,split")
        columns = {column: [_text(value) for value in table[column]] for column in COLUMNS if column in table}
        lengths = {column: len(values) for column, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DatasetError(
                f"TableDataset: the columns have different lengths, {lengths}; give each a value for every image"
            )
        rows = (TableRow(f"row {number}", **dict(zip(columns, values)))
                for number, values in enumerate(zip(*columns.values())))  # fmt: skip
        self.fill(rows, protocol)

    def fill(self, rows: Iterable[TableRow], protocol: str | None) -> None:
        """Make the records of the rows, and choose the protocol."""
        check(self, optional(TEXT), protocol=protocol)
        rows = list(rows)
        for row in rows:
            _check_row(row)
        test = [row for row in rows if row.split != "train"]
        _check_cameras([row for row in rows if row.split == "train"])
        if protocol != "camera_free":
            _check_cameras(test)
        self.protocol = protocol or ("camera_free" if test and not any(row.camid for row in test) else "market1501")
        self.pid_of = _numbered(rows, "pid")
        self.camid_of = _numbered([row for row in rows if row.camid], "camid")
        self._records = {split: [self._record(row) for row in rows if row.split == split] for split in SPLITS}
        place = {self._path(row): row.place for row in reversed(rows)}
        absent = absent_files(dict.fromkeys(self._path(row) for row in rows))
        if absent:
            more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
            raise DatasetError(f"{place[absent[0]]}: no such image: {absent[0]}{more}")

    def _path(self, row: TableRow) -> str:
        return os.path.normpath(os.path.join(self.folder, row.path))

    def _record(self, row: TableRow) -> Record:
        others = {column: _number(row, column) for column in ("timeid", "viewid") if getattr(row, column)}
        return Record(self._path(row), self.pid_of[row.pid], self.camid_of.get(row.camid, 0), **others)


def _check_row(row: TableRow) -> None:
    if not row.path:
        raise DatasetError(f"{row.place}: the path is empty")
    if row.split not in SPLITS:
        raise DatasetError(f"{row.place}: split is {row.split!r}; expected one of {', '.join(SPLITS)}")
    if not row.pid:
        raise DatasetError(f"{row.place}: the pid is empty; write who it is, or -1 where nobody knows")


def _check_cameras(rows: Sequence[TableRow]) -> None:
    """Raise DatasetError where some rows have a camera and others do not: these would share a camera with others."""
    without = [row for row in rows if not row.camid]
    if without and len(without) < len(rows):
        raise DatasetError(
            f"{without[0].place}: camid is empty, in {len(without):,} of {len(rows):,} rows; give the camera of all or "
            f"of none"
        )


def _numbered(rows: Sequence[TableRow], column: str) -> dict[str, int]:
    """Return the number of each name in a column."""
    whole = all(re.fullmatch(r"-?\d+", getattr(row, column)) for row in rows)
    for row in rows:
        text = getattr(row, column)
        # A number that is too low is no name, and -1 is none among names either: they keep it for nobody.
        if text == "-1" or (whole and text.startswith("-")):
            _number(row, column)
    number = number_cameras if column == "camid" else number_names
    return number(getattr(row, column) for row in rows)


def _number(row: TableRow, column: str) -> int:
    text = getattr(row, column)
    try:
        number = int(text)
    except ValueError:
        raise DatasetError(f"{row.place}: {column} is {text!r}; expected an integer") from None
    if number < LOWEST[column]:
        raise DatasetError(f"{row.place}: {column} is {number}; expected {LOWEST[column]} or more")
    if number >= 2**63:
        raise DatasetError(f"{row.place}: {column} is {text}; expected a number of at most 64 bits")
    return number


def _text(value: Any) -> str:
    """Return a cell as text: "" for None, NaN and pandas' NA, whole numbers without the ``.0`` that a gap adds."""
    if hasattr(value, "item"):  # a number of numpy or torch
        value = value.item()
    if value is None or type(value).__name__ == "NAType" or value != value:
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()
