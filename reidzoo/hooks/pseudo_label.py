"""Pseudo labels: cluster features, refine the clusters, and train on them or write them down."""

from __future__ import annotations

import json
import logging
from typing import Any

import torch
from torch import Tensor

from reidzoo.clustering import singletons, size_bounds
from reidzoo.datasets import write_pseudo_labels
from reidzoo.engine.distributed import broadcast_object, is_main
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.engine.files import write_text
from reidzoo.errors import ConfigError, UserError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["ExportPseudoLabelsHook", "PseudoLabelHook"]

logger = logging.getLogger("reidzoo")


@HOOK.register_module()
class PseudoLabelHook(Hook):
    """Relabels a training set before an epoch with the clusters of its features.

    Args:
        target: the training set's name.
        features: ``model`` extracts them anew, ``memory`` takes the rows that the part ``memory`` has of the set.
        min_size, max_size: images of a cluster that is kept (DomainMix Eq. 1: 5 and 120); 0 for no bound.
        outliers: ``drop`` leaves them out of training, ``singletons`` makes each a class of its own (SpCL).
        period: epochs between two clusterings.
    """

    priority = 30

    def __init__(
        self,
        target: str = "target",
        features: str = "model",
        min_size: int = 0,
        max_size: int = 0,
        outliers: str = "drop",
        period: int = 1,
    ) -> None:
        if features not in ("model", "memory") or outliers not in ("drop", "singletons"):
            raise ConfigError(
                f"HOOKS: PseudoLabelHook takes features: model|memory and outliers: drop|singletons, "
                f"got {features!r} and {outliers!r}"
            )
        self.target, self.features, self.outliers, self.period = target, features, outliers, period
        self.min_size, self.max_size = min_size, max_size

    def before_train_epoch(self, runner: Any) -> None:
        """Cluster, refine and relabel."""
        if runner.epoch % self.period == 0:
            labels = self._labels(runner)
            if self.outliers == "singletons":
                labels = torch.from_numpy(singletons(labels.numpy()))
            runner.relabel(self.target, labels)

    def _labels(self, runner: Any) -> Tensor:
        if runner.clusterer is None or self.target not in runner.sets:
            raise ConfigError(
                f"HOOKS: pseudo labels need a CLUSTERER and a training set {self.target!r}; "
                f"the sets are {list(runner.sets)}"
            )
        features = self._features(runner)
        clusters = broadcast_object(runner.clusterer.fit_predict(features) if is_main() else None)
        labels = size_bounds(clusters, self.min_size, self.max_size or None)
        self._report(runner, clusters, labels)
        return torch.from_numpy(labels)

    def _features(self, runner: Any) -> Tensor:
        if self.features == "memory":
            memory = runner.parts["memory"]
            return memory.features[memory.num_source :].cpu()
        return extract_train_features(runner, self.target, title=f"features of {self.target}")

    def _report(self, runner: Any, clusters: Any, labels: Any) -> None:
        if not is_main():
            return
        logger.info(
            "pseudo labels: %d clusters, %d of %d images outliers; %d clusters with %d images after refinement",
            clusters.max() + 1, (clusters < 0).sum(), len(clusters), labels.max() + 1, (labels >= 0).sum(),
        )  # fmt: skip
        if labels.max() < 0:
            raise UserError(
                f"no cluster of {self.target!r} is left in epoch {runner.epoch + 1}: {clusters.max() + 1} clusters "
                f"were found, sizes allowed are {self.min_size} to {self.max_size or 'any'}. Train longer on the "
                f"source first, or loosen CLUSTERER.eps or the bounds"
            )


@HOOK.register_module()
class ExportPseudoLabelsHook(PseudoLabelHook):
    """After training clusters the final model's features and writes ``pseudo_labels.csv``, refined, for a later stage.

    Beside it ``pseudo_labels.json`` says how many clusters and images were found and kept, and
    ``pseudo_labels_initial.csv`` holds the labels before refinement, every outlier a class of its own.
    """

    priority = 35

    def before_train(self, runner: Any) -> None:
        """Refuse a set of several datasets: the file's paths are relative to one dataset's folder."""
        data = runner.sets.get(self.target)
        if data is not None and len(data.datasets) > 1:
            raise ConfigError(
                f"HOOKS: pseudo labels are written for one dataset, but the training set {self.target!r} has "
                f"{len(data.datasets)}; give each a training set and an export hook of its own"
            )

    def before_train_epoch(self, runner: Any) -> None:
        """Leave the labels in training alone."""

    def after_train(self, runner: Any) -> None:
        """Extract, cluster, refine, write."""
        labels = self._labels(runner)
        if is_main():
            self._write(runner, "pseudo_labels.csv", labels.numpy())

    def _report(self, runner: Any, clusters: Any, labels: Any) -> None:
        super()._report(runner, clusters, labels)
        if is_main():
            self._write(runner, "pseudo_labels_initial.csv", singletons(clusters))
            counts = {
                "clusters": int(clusters.max() + 1), "images": len(clusters), "outliers": int((clusters < 0).sum()),
                "clusters_kept": int(labels.max() + 1), "images_kept": int((labels >= 0).sum()),
            }  # fmt: skip
            write_text(runner.output_dir / "pseudo_labels.json", json.dumps(counts, indent=1) + "\n")

    def _write(self, runner: Any, name: str, labels: Any) -> None:
        data = runner.sets[self.target]
        write_pseudo_labels(runner.output_dir / name, data.records, labels, data.folder_of(0))
