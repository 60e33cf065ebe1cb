"""Pictures of pseudo labels: some clusters, and how pure each is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from yacs.config import CfgNode

from reidzoo.config.references import fill_seed
from reidzoo.datasets import Record, build_dataset, read_pseudo_labels
from reidzoo.datasets.base import relative_path
from reidzoo.datasets.nodes import sources
from reidzoo.engine.build import final_size
from reidzoo.errors import UserError
from reidzoo.evenly_spaced import evenly_spaced
from reidzoo.reporting.image_rows import tile
from reidzoo.reporting.picture import Picture, Table
from reidzoo.reporting.run_record import RunRecord
from reidzoo.visualization import Strip

__all__ = ["clusters"]

SHOWN, IMAGES = 6, 11
"""Clusters, and images of each."""


def clusters(record: RunRecord) -> Picture | None:
    """Return clusters of the last stage that has written pseudo labels, from the smallest to the largest.

    Returns:
        None where nothing was clustered.

    Raises:
        DatasetError: the images are not there.
        UserError: the labels are not written, or are not of a dataset that the stage trains on.
    """
    written = [stage for stage in record.stages if stage.files.labels.exists()]
    if written and (labelled := _labelled(written[-1].cfg, str(written[-1].files.labels))):
        return _picture(*labelled, final_size(written[-1].cfg))
    if written or record.labels():
        raise UserError(
            f"No stage of {record.run.path.name} has a pseudo_labels.csv of one of its datasets; the labels of a "
            "training set of several datasets are not written"
        )
    return None


def _labelled(cfg: CfgNode, file: str) -> tuple[list[Record], np.ndarray] | None:
    """Return the labelled images of the training set that a file of labels is of, and the labels."""
    label_of = read_pseudo_labels(file)
    for node in sources(fill_seed(cfg).DATASETS.TRAIN):
        dataset = build_dataset(node, root=cfg.DATASETS.ROOT)
        named = {relative_path(record.path, dataset.folder): record for record in dataset.train}
        if label_of and label_of.keys() <= named.keys():
            return [named[path] for path in label_of], np.array(list(label_of.values()))
    return None


def _picture(records: Sequence[Record], labels: np.ndarray, size: tuple[int, int]) -> Picture | None:
    pids = np.array([record.pid for record in records])
    numbers, counts = np.unique(labels[labels >= 0], return_counts=True)
    if not len(numbers):
        return None
    order = np.argsort(counts, kind="stable")
    strips, rows = [], []
    for label in numbers[order[evenly_spaced(len(order), SHOWN)]]:
        found = np.flatnonzero(labels == label)
        values, sizes = np.unique(pids[found], return_counts=True)
        main = values[sizes.argmax()]
        title = f"cluster {label}: {len(found)} images, {sizes.max()} of identity {main}"
        chosen = sorted(found.tolist(), key=lambda row: (pids[row] != main, pids[row]))
        chosen = [chosen[place] for place in evenly_spaced(len(chosen), IMAGES)]
        tiles = [tile(records[row], "right" if pids[row] == main else "wrong", size) for row in chosen]
        strips.append(Strip(title, tiles))
        rows.append((str(label), str(len(found)), str(len(values)), f"{100 * sizes.max() / len(found):.0f}"))
    text = (
        f"{len(numbers)} clusters, {int((labels < 0).sum()):,} of {len(labels):,} images in none. ✓ is an image of the "
        "cluster's most frequent identity, ✗ of another, by identities that training does not see."
    )
    table = Table(("cluster", "images", "identities", "purity, %"), rows)
    return Picture("clusters", "Clusters, from small to large", text, strips=strips, table=table)
