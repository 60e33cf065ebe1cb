"""Finds what lies in a folder of your own images but is not read: images of nobody, empty folders, other files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from reidzoo.datasets import CSVDataset, FolderDataset, TableDataset
from reidzoo.datasets.base import IMAGE_EXTENSIONS, SPLITS, examples, relative_path, shortened
from reidzoo.inspection.findings import NOTE, WARNING, Finding
from reidzoo.inspection.inspected_images import InspectedImages

__all__ = ["find_not_read"]

SHOWN = 3
OTHERS = (".txt", ".csv", ".tsv", ".json", ".yml", ".yaml", ".xml", ".md", ".db", ".mat", ".zip", ".ini", ".npy", "")
"""Ends of files that stand beside images and are none."""


def find_not_read(images: InspectedImages) -> Iterator[Finding]:
    """Yield what is in the dataset's folder and not in the dataset; hidden files and folders are skipped."""
    dataset = images.dataset
    if not isinstance(dataset, FolderDataset | TableDataset) or isinstance(dataset, CSVDataset):
        return  # a published dataset has more folders than it is read from, and a list lies anywhere
    split = isinstance(dataset, FolderDataset)
    top, read = os.path.abspath(dataset.folder), {os.path.abspath(record.path) for record in images.records}
    folders, files = _walk(top, split)
    pictures = {file for file in files if file.lower().endswith(IMAGE_EXTENSIONS)}
    full = {
        str(parent) for folder in map(os.path.dirname, pictures | read) for parent in (folder, *Path(folder).parents)
    }
    kinds = {file: os.path.splitext(file)[1].lower() for file in files if file not in pictures}
    empty = [folder for folder in folders if folder not in full and os.path.dirname(folder) in full]
    loose, others = sorted(pictures - read), [file for file, kind in kinds.items() if kind in OTHERS]
    unknown = Counter(kind for kind in kinds.values() if kind not in OTHERS)
    if loose:
        place = "SPLIT/PERSON/IMAGE" if split else "PERSON/IMAGE"
        advice = f"They are not read: move each to where images lie, {place}."
        yield Finding(WARNING, f"images that belong to no person: {len(loose):,}", advice, _shown(loose, top))
    if empty:
        yield Finding(WARNING, f"folders without an image: {len(empty):,}", "", _shown(empty, top))
    if unknown:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(unknown.items()))
        advice = f"Convert images to {', '.join(IMAGE_EXTENSIONS)}."
        yield Finding(WARNING, f"files that are not read: {listed}", advice)
    if others:
        names = examples([relative_path(file, top) for file in others])
        yield Finding(NOTE, f"other files, which are not read: {len(others):,} ({names})")


def _walk(top: str, split: bool) -> tuple[list[str], list[str]]:
    """Return the folders and the files below ``top``; where it is divided into splits, of these folders alone."""
    folders, files = [], []
    for here, own, names in os.walk(top):
        wanted = [name for name in own if not split or here != top or name in SPLITS]
        own[:] = sorted(name for name in wanted if not name.startswith((".", "__MACOSX")))
        folders += [os.path.join(here, name) for name in own]
        files += [os.path.join(here, name) for name in sorted(names) if not name.startswith(".")]
    return folders, files


def _shown(paths: list[str], top: str) -> list[str]:
    return shortened([relative_path(path, top) for path in paths], SHOWN)
