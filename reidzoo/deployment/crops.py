"""The crops that an exported file is compared on: of a folder, a CSV or a dataset, or rendered ones."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from yacs.config import CfgNode

from reidzoo.datasets import CSVDataset, Dataset, build_dataset
from reidzoo.datasets.base import IMAGE_EXTENSIONS
from reidzoo.datasets.nodes import as_mapping, innermost, read_node, sources
from reidzoo.datasets.record import Record
from reidzoo.errors import UserError
from reidzoo.render import render_twins
from reidzoo.render.vehicles.layouts import VEHICLE_LAYOUTS

__all__ = ["Crops", "find_crops", "image_files"]

TWIN_SCALE = 0.1
"""Size of the rendered twin: 10 identities to search for."""


@dataclass(frozen=True)
class Crops:
    """Images to compare two models on.

    Attributes:
        title: what they are, in words.
        query: images to search with, those without labels included.
        gallery: images to search in; empty where there are no labels, and every crop is searched among the others.
        pids, camids: of queries and gallery together, in that order; None without labels.
        protocol: how the ranking is evaluated.
    """

    title: str
    query: list[str]
    gallery: list[str]
    pids: list[int] | None = None
    camids: list[int] | None = None
    protocol: str = "market1501"

    @property
    def paths(self) -> list[str]:
        """All images, the queries first."""
        return [*self.query, *self.gallery]


@contextlib.contextmanager
def find_crops(source: str, root: str, cfg: CfgNode, most: int) -> Iterator[Crops]:
    """Find the crops, or render some where ``source`` is empty; those are deleted at the end of the block.

    Args:
        source: a folder of images; one with ``query`` and ``gallery``, as ``FolderDataset`` reads it; a CSV; a
            dataset's name or node; or "".
        root: the folder of datasets.
        cfg: the model's configuration; vehicles are rendered for a model that was trained on vehicles.
        most: images to take at most.

    Raises:
        UserError: there is no such thing, or it has no image.
    """
    if source:
        yield _find(source, root, most)
        return
    with tempfile.TemporaryDirectory(prefix="reidzoo-crops-") as folder:
        name = "VeRi776" if set(VEHICLE_LAYOUTS) & _types(cfg) else "Market1501"
        render_twins(folder, [name], TWIN_SCALE, jobs=1)
        yield _of_dataset(build_dataset(name, root=folder), f"{name} twin, {TWIN_SCALE:.0%} of it", most)


def _types(cfg: CfgNode) -> set[str]:
    """Return the types of the datasets that the model was trained and is tested on."""
    nodes = [*sources(cfg.DATASETS.TRAIN), *map(innermost, cfg.DATASETS.TESTS)]
    return {as_mapping(node)["type"] for node in nodes}


def _find(source: str, root: str, most: int) -> Crops:
    if os.path.isdir(source):
        if os.path.isdir(os.path.join(source, "query")) and os.path.isdir(os.path.join(source, "gallery")):
            path = os.path.abspath(source)
            node = {"type": "FolderDataset", "folder": path}
            return _of_dataset(build_dataset(node, root=os.path.dirname(path)), os.path.basename(path), most)
        return Crops(f"the images of {Path(source).name}", image_files(source, most), [])
    if source.lower().endswith(".csv"):
        return _of_dataset(CSVDataset(os.curdir, source), Path(source).name, most)
    dataset = build_dataset(read_node(source, "--crops") if source.startswith("{") else source, root=root)
    return _of_dataset(dataset, f"{dataset.name}{' twin' if dataset.is_twin else ''}", most)


def image_files(folder: str | os.PathLike[str], most: int) -> list[str]:
    """Return the images in and below a folder, in the order of their names, evenly thinned to ``most``.

    Raises:
        UserError: there is none.
    """
    files = sorted(
        os.path.join(here, name)
        for here, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(IMAGE_EXTENSIONS) and not name.startswith(".")
    )
    if not files:
        raise UserError(f"{os.fspath(folder)} holds no image ({', '.join(IMAGE_EXTENSIONS)})")
    step = -(-len(files) // most)
    return files[::step]


def _of_dataset(dataset: Dataset, title: str, most: int) -> Crops:
    query, gallery = dataset.query, dataset.gallery
    if not query or not gallery:
        train = [record.path for record in dataset.train]
        if not train:
            raise UserError(f"{title} holds no image to compare the models on")
        return Crops(title, train[:: -(-len(train) // most)], [])
    kept = _identities(query, gallery, most)
    sides = [[record for record in side if record.pid in kept] for side in (query, gallery)]
    both = [*sides[0], *sides[1]]
    protocol = dataset.protocol if dataset.protocol in ("market1501", "camera_free") else "camera_free"
    return Crops(
        title,
        [record.path for record in sides[0]],
        [record.path for record in sides[1]],
        [record.pid for record in both],
        [record.camid for record in both],
        protocol,
    )


def _identities(query: Sequence[Record], gallery: Sequence[Record], most: int) -> set[int]:
    """Return the first identities, with all their images, that are about ``most`` images; at least one is a query's."""
    counts: dict[int, int] = {}
    for record in [*query, *gallery]:
        counts[record.pid] = counts.get(record.pid, 0) + 1
    kept: set[int] = set()
    total = 0
    for record in query:
        if record.pid not in kept and (not kept or total + counts[record.pid] <= most):
            kept.add(record.pid)
            total += counts[record.pid]
    for pid in counts:  # distractors, which make ranking harder
        if pid not in kept and total + counts[pid] <= most:
            kept.add(pid)
            total += counts[pid]
    return kept
