"""Accuracies of a model's classifiers on held-out images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.datasets import Dataset, TrainSet, nuisance_labels
from reidzoo.engine.build import build_test_table
from reidzoo.errors import ConfigError
from reidzoo.losses.branches import branch_log_probabilities
from reidzoo.transforms import Normalize

__all__ = ["Validation"]


class Validation:
    """Held-out images of the identities that a ``NuisanceTrainer`` trains on.

    Args:
        dataset: whose training images these are: the other part of the ``HoldOut`` that is trained on.
        data: the training set.
        cfg: the stage's configuration.

    Raises:
        ConfigError: an image is trained on, or its identity is not.
    """

    def __init__(self, dataset: Dataset, data: TrainSet, cfg: CfgNode) -> None:
        records = dataset.train
        classes = {record.pid: int(label) for record, label in zip(data.records, data.pids)}
        trained = set(data.paths)
        seen = [record.path for record in records if record.path in trained]
        strange = [record.path for record in records if record.pid not in classes]
        folders = {d.folder for d in (*data.datasets, dataset)}
        if len(folders) != 1 or len(data.datasets) != 1 or not records or seen or strange:
            raise ConfigError(
                f"HOOKS: the validation set must be the images that were held out of the only training set. Of its "
                f"{len(records)} images {len(seen)} are trained on, {len(strange)} show other identities; the folders "
                f"are {', '.join(sorted(folders))}. Train on {{type: HoldOut, dataset: D, part: train}} and validate "
                f"on the same with part: val"
            )
        self.cfg = cfg
        self.table = build_test_table(cfg, [record.path for record in records])
        self.identities = np.array([classes[record.pid] for record in records])
        self.camids, self.timeids = (np.array([getattr(r, key) for r in records]) for key in ("camid", "timeid"))

    def measure(
        self, embed: Callable[[Tensor], Tensor], head: nn.Module, critics: Mapping[str, Any], device: torch.device
    ) -> dict[str, float]:
        """Return the accuracies: ``identity``, and ``nuisance``, the mean over the discriminators.

        Args:
            embed: normalised images (B, 3, H, W) to embeddings (B, D); in evaluation mode, as the others.
            head: the classifier of the identities.
            critics: the discriminators, by name.
            device: where all of them are.
        """
        predicted = self._predict(embed, {"": head, **critics}, device)
        labels = {name: nuisance_labels(part.label, self.camids, self.timeids) for name, part in critics.items()}
        nuisances = [float((predicted[name] == label).mean()) for name, label in labels.items()]
        return {
            "identity": float((predicted[""] == self.identities).mean()),
            "nuisance": float(np.mean(nuisances)),
        }

    @torch.no_grad()
    def _predict(
        self, embed: Callable[[Tensor], Tensor], parts: Mapping[str, nn.Module], device: torch.device
    ) -> dict[str, np.ndarray]:
        """Return the classes (N,) that each part tells of every image."""
        cfg, rows = self.cfg, np.arange(len(self.table))
        normalize = Normalize(cfg.INPUT.MEAN, cfg.INPUT.STD)
        size = cfg.TEST.IMS_PER_BATCH
        batches = [rows[i : i + size] for i in range(0, len(rows), size)]
        predicted: dict[str, list[Tensor]] = {}
        for images in self.table.batches(batches, cfg.DATALOADER.NUM_WORKERS):
            embedding = embed(normalize(images.to(device), None))
            for name, part in parts.items():
                predicted.setdefault(name, []).append(_classes(part(embedding)).cpu())
        return {name: torch.cat(blocks).numpy() for name, blocks in predicted.items()}


def _classes(logits: Tensor) -> Tensor:
    """Return the likeliest class (B,) of logits (B, K), or of (B, n, K) by the product of branches' probabilities."""
    return branch_log_probabilities(logits).sum(1).argmax(1)
