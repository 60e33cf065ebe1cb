"""The reader of your own images that a CSV file lists."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator

from reidzoo.checks import PATH, TEXT, check, optional
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.table_dataset import COLUMNS, NEEDED_COLUMNS, TableDataset, TableRow
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["CSVDataset"]

SEPARATORS = ",;\t|"


@DATASET.register_module()
class CSVDataset(TableDataset):
    """Images of any name in any folders, listed in one CSV file with a header line::

        path,pid,camid,split
        images/a.jpg,7,0,train
        images/b.jpg,8,1,query

    ``path`` is relative to the CSV file's folder, or absolute; the columns are ``TableDataset``'s, in any order and
    case: ``pid`` and ``camid`` are numbers or names, ``camid`` may be left out, ``timeid`` and ``viewid`` may be there.
    Columns are separated by a comma, semicolon, tab or ``|``. The file is in UTF-8, or in UTF-16 with its mark, as
    spreadsheets write it.

    Args:
        root: the folder that holds the datasets.
        file: the CSV file, relative to ``root`` or absolute.
        protocol: the evaluation protocol; by default ``market1501``, which leaves out gallery images with the query's
            pid and camera, or ``camera_free`` if no query or gallery image has a camera.

    Raises:
        DatasetError: the file or an image it names is not there, or a line is wrong; the message has the line.
    """

    name = "CSVDataset"

    def __init__(self, root: str | os.PathLike[str], file: str, protocol: str | None = None) -> None:
        check(self, PATH, root=root, file=file)
        check(self, optional(TEXT), protocol=protocol)
        path = os.path.join(os.path.expanduser(os.fspath(root)), os.path.expanduser(file))
        if not os.path.isfile(path):
            raise DatasetError(f"CSVDataset: {path}: no such file. It lists the images: path,pid,camid,split")
        Dataset.__init__(self, root, os.path.abspath(os.path.dirname(path)))
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.file = path
        try:
            self.fill(self._rows(), protocol)
        except UnicodeDecodeError:
            raise DatasetError(
                f"{path}{_not_utf8(path)} is not in UTF-8; save the file as UTF-8 (in a spreadsheet: as CSV UTF-8)"
            ) from None
        except csv.Error as error:
            raise DatasetError(f"CSVDataset: {path} is not a CSV file: {error}") from None

    def _rows(self) -> Iterator[TableRow]:
        with open(self.file, encoding=_encoding(self.file), newline="") as file:
            separator = _separator(file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            columns = [name.strip().lower() for name in next(reader, [])]
            lacking = [column for column in NEEDED_COLUMNS if column not in columns]
            if lacking:
                raise DatasetError(
                    f"{self.file}:1: no column {', '.join(lacking)}; the columns are {','.join(columns) or 'missing'}. "
                    "Needed: path,pid,split; may be there: camid,timeid,viewid."
                )
            for values in reader:
                if values:
                    cells = {name: value.strip() for name, value in zip(columns, values) if name in COLUMNS}
                    empty = dict.fromkeys(NEEDED_COLUMNS, "")
                    yield TableRow(f"{self.file}:{reader.line_num}", **empty | cells)


def _encoding(path: str) -> str:
    """Return UTF-16 where the file begins with its mark, else UTF-8 with or without one."""
    with open(path, "rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if marked else "utf-8-sig"


def _not_utf8(path: str) -> str:
    """Return the first line that is not in UTF-8, as ``:NUMBER: 'TEXT'``, "" where no single line is wrong."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            text = line.decode("utf-8", "replace")
            if text.encode() != line:
                return f":{number}: {text.strip()[:80]!r}"
    return ""


def _separator(header: str) -> str:
    """Return the separator by which the header has most of the known columns, the comma where none is better."""

    def known(separator: str) -> int:
        return sum(name.strip(' "\r\n').lower() in COLUMNS for name in header.split(separator))

    return max(SEPARATORS, key=known)
