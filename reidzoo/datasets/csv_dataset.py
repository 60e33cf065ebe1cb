"""The reader of your own images that a CSV file lists."""

from __future__ import annotations

import csv
import os

from reidzoo.checks import PATH, TEXT, check
from reidzoo.datasets.base import SPLITS, Dataset, absent_files
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["CSVDataset"]

LOWEST = {"pid": -1, "camid": 0, "timeid": -1, "viewid": -1}


@DATASET.register_module()
class CSVDataset(Dataset):
    """Images of any name in any folders, listed in one CSV file with a header line::

        path,pid,camid,split
        images/a.jpg,7,0,train

    ``path`` is relative to the CSV file's folder, or absolute; ``pid`` is an integer from -1 on (-1: junk in the
    gallery, no label in the training split); ``camid`` an integer from 0 on; ``split`` train, query or gallery. The
    columns ``timeid`` and ``viewid`` may be there too, empty where unknown; further columns are ignored.

    Args:
        root: the folder that holds the datasets.
        file: the CSV file, relative to ``root`` or absolute.
        protocol: the evaluation protocol. ``market1501`` leaves out gallery images with the query's pid and camera;
            where cameras are unknown, write one number for all and use ``camera_free``.

    Raises:
        DatasetError: the file or an image it names is not there, or a line is wrong; the message has the line.
    """

    name = "CSVDataset"

    def __init__(self, root: str | os.PathLike[str], file: str, protocol: str = "market1501") -> None:
        check(self, PATH, root=root, file=file)
        check(self, TEXT, protocol=protocol)
        path = os.path.join(os.path.expanduser(os.fspath(root)), os.path.expanduser(file))
        if not os.path.isfile(path):
            raise DatasetError(f"CSVDataset: {path}: no such file. It lists the images: path,pid,camid,split")
        super().__init__(root, os.path.abspath(os.path.dirname(path)))
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.protocol = protocol
        self.file = path
        try:
            self._records = self._read()
        except (UnicodeDecodeError, csv.Error) as error:
            raise DatasetError(f"CSVDataset: {path} is not a CSV file in UTF-8: {error}") from None

    def _read(self) -> dict[str, list[Record]]:
        records: dict[str, list[Record]] = {split: [] for split in SPLITS}
        line_of: dict[str, int] = {}
        with open(self.file, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = reader.fieldnames or []
            lacking = [column for column in ("path", "pid", "camid", "split") if column not in columns]
            if lacking:
                raise DatasetError(
                    f"{self.file}:1: no column {', '.join(lacking)}; the columns are {','.join(columns) or 'missing'}. "
                    "Needed: path,pid,camid,split; may be there: timeid,viewid."
                )
            for row in reader:
                split, record = self._record(row, reader.line_num)
                records[split].append(record)
                line_of.setdefault(record.path, reader.line_num)
        absent = absent_files(line_of)
        if absent:
            more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
            raise DatasetError(f"{self.file}:{line_of[absent[0]]}: no such image: {absent[0]}{more}")
        return records

    def _record(self, row: dict[str, str | None], line: int) -> tuple[str, Record]:
        path, split = (row["path"] or "").strip(), (row["split"] or "").strip()
        if not path:
            raise DatasetError(f"{self.file}:{line}: the path is empty")
        if split not in SPLITS:
            raise DatasetError(f"{self.file}:{line}: split is {split!r}; expected one of {', '.join(SPLITS)}")
        numbers = {column: self._number(row, column, line) for column in LOWEST}
        return split, Record(os.path.normpath(os.path.join(self.folder, path)), **numbers)

    def _number(self, row: dict[str, str | None], column: str, line: int) -> int:
        text = (row.get(column) or "").strip()
        if not text and column in ("timeid", "viewid"):
            return -1
        try:
            number = int(text)
        except ValueError:
            raise DatasetError(f"{self.file}:{line}: {column} is {text!r}; expected an integer") from None
        if number < LOWEST[column]:
            raise DatasetError(f"{self.file}:{line}: {column} is {number}; expected {LOWEST[column]} or more")
        return number
