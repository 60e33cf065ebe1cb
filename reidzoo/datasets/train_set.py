"""The table of training images, from one dataset or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reidzoo.datasets.base import Dataset, examples, relative_path
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError

if TYPE_CHECKING:
    from reidzoo.datasets.color_transfer import ColorTransfer
    from reidzoo.datasets.style_folder import StyleFolder

__all__ = ["TrainSet"]


class TrainSet:
    """The training images of several datasets as one table of N rows; a row's number is the image's ``index``.

    Rows are the datasets' training records in their order. Each dataset's pids become contiguous classes in the order
    of the pids, the datasets' classes one after another; pid -1 (no label) stays -1 and is not sampled. Cameras are
    shifted likewise, so that no two datasets share one.

    Args:
        datasets: the datasets in order; a dataset's position is the domain of its images.

    Attributes:
        datasets: the datasets.
        records: the datasets' own records (N), with their pids and cameras before renumbering.
        paths: the image files (N).
        pids: class index of each image, int64 (N,), -1 where it has none.
        camids: camera, int64 (N,), disjoint across the datasets.
        domains: position of the image's dataset, int64 (N,).
        timeids: time of day, int64 (N,), -1 where unknown.
        viewids: viewpoint, int64 (N,), -1 where unknown.
        styles: the images' camera styles, where the dataset is ``CamStyled`` and has some; None otherwise.

    Raises:
        DatasetError: a dataset has no training image, two records share a path, or ``CamStyled`` is not the outermost
            wrapper of the only dataset.
    """

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise DatasetError("The training set is empty: no dataset is named to train on.")
        self.records: list[Record] = []
        columns, num_classes, num_cameras = [], 0, 0
        for domain, dataset in enumerate(self.datasets):
            records = dataset.train
            if not records:
                raise DatasetError(f"{dataset.name} has no training image ({dataset.folder}); it cannot be trained on.")
            table = np.array([(r.pid, r.camid, domain, r.timeid, r.viewid) for r in records], dtype=np.int64)
            table[:, 0] = classes = _contiguous(table[:, 0], num_classes)
            table[:, 1] += num_cameras
            num_classes, num_cameras = max(num_classes, int(classes.max()) + 1), int(table[:, 1].max()) + 1
            self.records += records
            columns.append(table)
        self.pids, self.camids, self.domains, self.timeids, self.viewids = np.concatenate(columns).T.copy()
        self.paths = [record.path for record in self.records]
        self._num_classes = num_classes
        self._check_paths()
        self.styles = self._find_styles()

    def __len__(self) -> int:
        return len(self.records)

    @property
    def num_classes(self) -> int:
        """The number of classes: the highest class index plus one, 0 if no image has a label."""
        return self._num_classes

    @property
    def people(self) -> set[tuple[str, int]]:
        """The labelled identities, each as its dataset's folder and its pid before renumbering."""
        return {(self.folder_of(row), record.pid) for row, record in enumerate(self.records) if record.pid != -1}

    @property
    def style_paths(self) -> Sequence[str]:
        """The image files of the styles, in addition to ``paths``."""
        return self.styles.paths if self.styles is not None else ()

    def relabel(self, labels: Sequence[int] | np.ndarray) -> None:
        """Give every image a new class, as a clustering does.

        Args:
            labels: integers (N,), contiguous from 0; -1 means that the image has no class and is not sampled.

        Raises:
            ValueError: a wrong shape or type, a label below -1, or a class without any image.
        """
        labels = np.asarray(labels)
        if labels.shape != (len(self),) or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"expected {len(self)} integer labels, one per image; got {labels.dtype} {labels.shape}")
        if labels.min() < -1:
            raise ValueError(f"labels are -1 or more, got {labels.min()}")
        counts = np.bincount(labels[labels >= 0])
        if (counts == 0).any():
            empty = np.flatnonzero(counts == 0).tolist()
            raise ValueError(
                f"{len(empty)} of the {len(counts)} classes have no image: {examples(list(map(str, empty)))}"
            )
        self.pids = labels.astype(np.int64)
        self._num_classes = len(counts)

    def folder_of(self, index: int) -> str:
        """Return the folder of the dataset that image ``index`` comes from."""
        return self.datasets[self.domains[index]].folder

    def relative_path(self, index: int) -> str:
        """Return the path of image ``index`` relative to its dataset's folder, with forward slashes."""
        return relative_path(self.paths[index], self.folder_of(index))

    def _find_styles(self) -> StyleFolder | ColorTransfer | None:
        for dataset in self.datasets:
            inner: Any = dataset
            while (inner := getattr(inner, "dataset", None)) is not None:
                if hasattr(inner, "styles"):
                    raise DatasetError(f"{dataset.name}: CamStyled must be the outermost wrapper, around all others.")
        styled = [dataset for dataset in self.datasets if hasattr(dataset, "styles")]
        if styled and len(self.datasets) > 1:
            raise DatasetError(f"{styled[0].name}: a CamStyled dataset must be the only one of its training set.")
        return styled[0].styles if styled else None

    def _check_paths(self) -> None:
        if len(set(self.paths)) == len(self.paths):
            return
        first = {path: row for row, path in reversed([*enumerate(self.paths)])}
        twice = [path for row, path in enumerate(self.paths) if first[path] != row]
        names = [dataset.name for dataset in self.datasets]
        why = "Keep one line of each" if len(names) == 1 else f"Is a dataset named twice among {', '.join(names)}?"
        raise DatasetError(f"The training set lists {len(twice)} images more than once: {examples(twice)}. {why}")


def _contiguous(pids: np.ndarray, first: int) -> np.ndarray:
    """Return the pids renumbered from ``first`` on in their order; -1 stays."""
    labelled = pids != -1
    classes = np.full_like(pids, -1)
    classes[labelled] = np.unique(pids[labelled], return_inverse=True)[1] + first
    return classes
