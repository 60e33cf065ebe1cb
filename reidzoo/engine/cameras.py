"""Cameras as a model with side information knows them: those it was trained with, as training numbers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn
from yacs.config import CfgNode

from reidzoo.backbones.side_information import SideInformation
from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.datasets.nodes import listed, readable_now
from reidzoo.errors import ConfigError

if TYPE_CHECKING:
    from reidzoo.datasets import Dataset, Record

__all__ = ["check_cameras", "side_information_of"]


def side_information_of(
    cfg: CfgNode, model: nn.Module, dataset: Dataset, records: Sequence[Record]
) -> list[np.ndarray]:
    """Return cameras and viewpoints of the dataset's ``records``, int64 (N,) each, for a model that uses them.

    Cameras are numbered as in the first training set that has images of the dataset, and are -1, unknown, where none
    has: the first camera of another dataset is another one.
    """
    if not _users(model):
        return []
    shift = _shift(cfg, dataset)
    cameras = np.array([-1 if shift is None else record.camid + shift for record in records], dtype=np.int64)
    return [cameras, np.array([record.viewid for record in records], dtype=np.int64)]


def check_cameras(cfg: CfgNode, model: nn.Module, sets: Mapping[str, TrainSet]) -> None:
    """Check that a model with side information can train with the cameras of ``sets``.

    Raises:
        ConfigError: it has fewer embeddings than there are cameras; several sets number theirs from 0 each; or batches
            are forwarded in chunks.
    """
    for module in _users(model):
        most = max(int(data.camids.max()) + 1 for data in sets.values())
        if module.cameras and module.cameras < most:
            raise ConfigError(
                f"BACKBONE.sie: cameras is {module.cameras}, and the training images are of {most}; set it to {most}"
            )
        if module.cameras and len(sets) > 1:
            raise ConfigError(
                f"BACKBONE.sie: {', '.join(sets)} number their cameras from 0 each; it takes a single training set, "
                f"which may be a list of datasets"
            )
        if cfg.SOLVER.CHUNK:
            raise ConfigError("BACKBONE.sie: the cameras are those of a whole batch; set SOLVER.CHUNK 0")


def _users(model: nn.Module) -> list[SideInformation]:
    return [module for module in model.modules() if isinstance(module, SideInformation)]


def _shift(cfg: CfgNode, dataset: Dataset) -> int | None:
    """Return what training adds to the dataset's cameras, see ``TrainSet``; None if it is not trained on."""
    for entry in cfg.DATASETS.TRAIN.values():
        others: list[Dataset] = []
        for node in listed(entry):
            other = build_dataset(readable_now(node), root=cfg.DATASETS.ROOT)
            if other.folder == dataset.folder:
                return int(TrainSet(others).camids.max()) + 1 if others else 0
            others.append(other)
    return None
