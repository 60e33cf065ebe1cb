"""Opens what a user names as data: a folder, a list of images, or a dataset by its name."""

from __future__ import annotations

import inspect
import os

from reidzoo.datasets import CSVDataset, Dataset, FolderDataset, MarketLayout, TableDataset, build_dataset
from reidzoo.datasets.base import SPLITS
from reidzoo.datasets.nodes import parse_node
from reidzoo.datasets.people_folder import find_people
from reidzoo.errors import ConfigError, DatasetError, UserError
from reidzoo.registry import DATASET

__all__ = ["PeopleDataset", "is_data", "open_data"]

LISTS = (".csv", ".tsv")


def is_data(source: str) -> bool:
    """Return whether ``source`` means data rather than a configuration: a folder, a list, a node or a dataset."""
    if os.path.isdir(source) or source.lower().endswith(LISTS) or source.startswith("{"):
        return True
    DATASET.import_from_location()
    return source in DATASET.module_dict


def open_data(source: str, root: str | os.PathLike[str] = "datasets") -> Dataset:
    """Return the dataset that ``source`` names.

    Args:
        source: a folder that has a known dataset's name or layout, one with ``train``, ``query`` and ``gallery``, or
            one of people, who are all taken for the training split; a CSV as ``CSVDataset`` reads it; a registered
            name; or a node in YAML, ``{type: NAME, ...}``.
        root: the folder of datasets, for names and nodes.

    Raises:
        UserError: there is no such thing, or it cannot be read.
    """
    if os.path.isdir(source):
        return _open_folder(os.path.abspath(source))
    if source.lower().endswith(LISTS):
        return CSVDataset(os.curdir, source)
    try:
        node = parse_node(source, "YAML") if source.startswith("{") else source
    except ConfigError as error:
        raise UserError(
            f"{source} is not a node such as {{type: FolderDataset, folder: my_data/crops}}: {error}"
        ) from None
    return build_dataset(node, root=root)


def _open_folder(folder: str) -> Dataset:
    known = _known(folder)
    if known is not None:
        return known
    there = {entry.name for entry in os.scandir(folder) if entry.is_dir()}
    parent, name = os.path.split(folder)
    if set(MarketLayout.parts.values()) <= there:
        dataset: Dataset = MarketLayout(parent, folder)
        dataset.name = name
        return dataset
    if there & set(SPLITS):
        return FolderDataset(parent, folder)
    return PeopleDataset(folder)


def _known(folder: str) -> Dataset | None:
    """Return the dataset whose folder's name this is, if it has the layout too."""
    DATASET.import_from_location()
    parent, name = os.path.split(folder)
    for kind in DATASET.module_dict.values():
        if not (inspect.isclass(kind) and issubclass(kind, Dataset)):
            continue
        if name not in {os.path.basename(own) for own in kind.folders}:
            continue
        try:
            dataset = kind(parent)
        except DatasetError:
            continue
        if os.path.abspath(dataset.folder).startswith(folder):
            return dataset
    return None


class PeopleDataset(TableDataset):
    """The images of folders of people, all of them in the training split; cameras are guessed from files' names.

    Args:
        folder: what holds the folders.

    Raises:
        DatasetError: it has no image in such a folder.
    """

    def __init__(self, folder: str) -> None:
        images = find_people(folder)
        named = all(image.camera for image in images)
        columns = {
            "path": [image.path for image in images],
            "pid": [image.person for image in images],
            "camid": [image.camera if named else "" for image in images],
            "split": ["train"] * len(images),
        }
        super().__init__(columns, folder)
        self.name = os.path.basename(folder)
