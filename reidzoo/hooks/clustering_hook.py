"""The base of hooks that make pseudo labels: clusters of a training set's features, refined, reported and written."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.checks import TEXT, check, one_of, whole
from reidzoo.clustering import label_quality, size_bounds
from reidzoo.datasets import true_identities, write_pseudo_labels
from reidzoo.distributed import broadcast_object, is_main
from reidzoo.engine.evaluate import comparison_device, extract_train_features, resident
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError, UserError
from reidzoo.files import write_text
from reidzoo.hooks.hook import Hook

__all__ = ["ClusteringHook"]

logger = logging.getLogger("reidzoo")

LARGE, SHARE = 10, 0.05
"""A cluster is suspiciously large at this many times the middle one and this share of all images, or at half of all."""
_SHARES = ("purity", "pair_precision", "pair_recall", "cross_camera_recall")


class ClusteringHook(Hook, ABC):
    """Clusters a training set's features, and refines the clusters.

    Where the images' true identities are known, as a benchmark's are, the labels are compared with them, in the log and
    as ``pseudo_labels`` in ``metrics.jsonl`` (``reidzoo.clustering.label_quality``). Nothing is chosen by it.

    Args:
        target: the training set's name.
        features: ``model`` extracts them, ``memory`` takes the rows that the part ``memory`` has of the set.
        min_size, max_size: images of a cluster that is kept; 0 for no bound.
    """

    def __init__(self, target: str = "target", features: str = "model", min_size: int = 0, max_size: int = 0) -> None:
        check(self, TEXT, target=target)
        check(self, one_of("model", "memory"), features=features)
        check(self, whole(0), min_size=min_size, max_size=max_size)
        if max_size and min_size > max_size:
            raise ConfigError(f"{type(self).__name__}: min_size {min_size} is greater than max_size {max_size}")
        self.target, self.features, self.min_size, self.max_size = target, features, min_size, max_size
        self._truth: np.ndarray | None = None
        self._warned = False

    def before_train(self, runner: Runner) -> None:
        """Check that there is something to cluster, and something that does it."""
        if runner.clusterer is None or self.target not in runner.sets:
            raise ConfigError(
                f"HOOKS: pseudo labels need a CLUSTERER and a training set {self.target!r}; "
                f"the sets are {list(runner.sets)}"
            )

    @abstractmethod
    def _keep(self, runner: Runner, clusters: np.ndarray, labels: np.ndarray, quality: Mapping[str, float]) -> None:
        """Write, on the main process, what is to be kept of the labels, before and after refinement."""

    def _labels(self, runner: Runner, features: Tensor) -> Tensor:
        if is_main() and getattr(runner.clusterer, "on_device", False):
            features = resident(features, comparison_device(runner.device))
        clusters = broadcast_object(runner.clusterer.fit_predict(features) if is_main() else None)
        labels = size_bounds(clusters, self.min_size, self.max_size or None)
        quality = self._quality(runner, labels)
        runner.metrics = {**runner.metrics, "pseudo_labels": quality}
        if is_main():
            self._report(clusters, labels, quality)
        if labels.max() < 0:
            raise UserError(
                f"no cluster of {self.target!r} is left in epoch {runner.epoch + 1}: {clusters.max() + 1} clusters "
                f"were found, sizes allowed are {self.min_size} to {self.max_size or 'any'}. Train longer on the "
                f"source first, or loosen CLUSTERER.eps or the bounds"
            )
        if is_main():
            self._keep(runner, clusters, labels, quality)
        return torch.from_numpy(labels)

    def _features(self, runner: Runner) -> Tensor:
        if self.features == "memory":
            memory: Any = runner.parts["memory"]  # any MEMORY with ``features`` and ``num_source``
            return memory.features[memory.num_source :].cpu()
        return extract_train_features(runner, self.target, title=f"features of {self.target}")

    def _quality(self, runner: Runner, labels: Any) -> dict[str, float]:
        """Return ``label_quality``; without the shares where no true identity is known."""
        data, rows = runner.sets[self.target], self._rows(runner)
        if self._truth is None:
            self._truth = true_identities(data)[rows]
        quality = label_quality(labels, self._truth, data.camids[rows])
        known = bool((self._truth >= 0).any())
        return quality if known else {key: value for key, value in quality.items() if key not in _SHARES}

    def _rows(self, runner: Runner) -> np.ndarray:
        """Return the numbers of the images that are clustered, int64 (N,)."""
        return np.arange(len(runner.sets[self.target]))

    def _write_all(
        self, runner: Runner, clusters: np.ndarray, labels: np.ndarray, quality: Mapping[str, float]
    ) -> None:
        self._write(runner, "pseudo_labels.csv", labels)
        counts = {
            "clusters": int(clusters.max() + 1), "images": len(clusters), "outliers": int((clusters < 0).sum()),
            "clusters_kept": int(labels.max() + 1), "images_kept": int((labels >= 0).sum()),
            "quality": quality, "quality_before_refinement": self._quality(runner, clusters),
        }  # fmt: skip
        write_text(runner.output_dir / "pseudo_labels.json", json.dumps(counts, indent=1) + "\n")

    def _write(self, runner: Runner, name: str, labels: np.ndarray) -> None:
        data, rows = runner.sets[self.target], self._rows(runner)
        records = [data.records[row] for row in rows]
        write_pseudo_labels(runner.output_dir / name, records, labels, data.folder_of(rows[0]))

    def _report(self, clusters: Any, labels: Any, quality: Mapping[str, float]) -> None:
        logger.info(
            "pseudo labels: %d clusters, %d of %d images outliers; %d clusters with %d images after refinement, each "
            "of %d to %d, the middle one of %d",
            clusters.max() + 1, (clusters < 0).sum(), len(clusters), labels.max() + 1, (labels >= 0).sum(),
            quality["size_min"], quality["size_max"], quality["size_50"],
        )  # fmt: skip
        self._warn_of_large(quality, len(labels))
        if "purity" in quality:
            shares = ", ".join(f"{name.replace('_', ' ')} {100 * quality[name]:.1f} %" for name in _SHARES)
            logger.info("pseudo labels against the true identities, which training does not see: %s", shares)

    def _warn_of_large(self, quality: Mapping[str, float], count: int) -> None:
        """Say once what to do about a cluster that has likely swallowed others; every clustering tells its size."""
        largest, middle = quality["size_max"], quality["size_50"]
        if not self._warned and (largest > count / 2 or largest >= max(LARGE * middle, SHARE * count, 1)):
            self._warned = True
            logger.warning(
                "pseudo labels: the largest cluster has %d of %d images, the middle one %d: likely several people. "
                "A smaller CLUSTERER.eps keeps them apart, and so does a smaller k1, about the images of a person; "
                "`reidzoo cluster` shows what each finds", largest, count, middle,
            )  # fmt: skip
