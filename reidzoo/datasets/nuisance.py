"""Nuisance labels, which re-identification data have for free: the camera of an image and its time of day."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from torch import Tensor

from reidzoo.checks import check, one_of
from reidzoo.datasets.train_set import TrainSet
from reidzoo.errors import DatasetError

__all__ = ["NUISANCES", "check_nuisance", "nuisance_classes", "nuisance_frequencies", "nuisance_labels"]

NUISANCES = ("camera", "time", "joint")
TIMES = 3

Labels = TypeVar("Labels", np.ndarray, Tensor)


def check_nuisance(nuisance: str) -> None:
    """Raise a ``ConfigError`` if there is no such nuisance."""
    check("a nuisance", one_of(*NUISANCES), label=nuisance)


def nuisance_labels(nuisance: str, camids: Labels, timeids: Labels) -> Labels:
    """Return each image's nuisance, an integer from 0 on, in the type of the arguments.

    Args:
        nuisance: ``camera``; ``time``: 0 morning, 1 noon, 2 afternoon; ``joint``: camera * 3 + time, as ADIN's code
            numbers MSMT17's 45.
        camids: cameras (N,) from 0 on.
        timeids: times of day (N,).

    Raises:
        ConfigError: there is no such nuisance.
    """
    check_nuisance(nuisance)
    return {"camera": camids, "time": timeids, "joint": camids * TIMES + timeids}[nuisance]


def nuisance_classes(nuisance: str, data: TrainSet) -> int:
    """Return how many values a nuisance has in a training set, counting cameras up to the highest.

    Raises:
        ConfigError: there is no such nuisance.
        DatasetError: the dataset does not tell the time of day, or all its images have the same value.
    """
    check_nuisance(nuisance)
    cameras = int(data.camids.max()) + 1
    if nuisance != "camera" and (data.timeids.min() < 0 or data.timeids.max() >= TIMES):
        names = ", ".join(dataset.name for dataset in data.datasets)
        raise DatasetError(
            f"{names}: the file names do not tell the time of day of every image; MSMT17's do. Use label: camera"
        )
    if len(np.unique(nuisance_labels(nuisance, data.camids, data.timeids))) < 2:
        names = ", ".join(dataset.name for dataset in data.datasets)
        raise DatasetError(f"{names}: all training images have one {nuisance}; there is no nuisance to classify")
    return {"camera": cameras, "time": TIMES, "joint": cameras * TIMES}[nuisance]


def nuisance_frequencies(nuisance: str, data: TrainSet) -> np.ndarray:
    """Return the share of each value among the training images, float64 (K,): p of ADIN (WACV 2020), Eq. 6.

    Raises:
        ConfigError, DatasetError: as ``nuisance_classes``.
    """
    classes = nuisance_classes(nuisance, data)
    return np.bincount(nuisance_labels(nuisance, data.camids, data.timeids), minlength=classes) / len(data)
