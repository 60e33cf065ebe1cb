"""Pseudo labels: clustering of features, refinement of the clusters, and training on them or a file of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.add_rows import add_rows
from reidzoo.checks import FLAG, TEXT, check, one_of, optional, whole
from reidzoo.clustering import label_quality, singletons, size_bounds
from reidzoo.datasets import true_identities, write_pseudo_labels
from reidzoo.distributed import broadcast_object, is_main
from reidzoo.engine.build import build_test_table
from reidzoo.engine.classifier_rows import ClassifierRows
from reidzoo.engine.evaluate import comparing_device, extract_table, extract_train_features, resident
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError, UserError
from reidzoo.files import write_text
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["ExportPseudoLabelsHook", "PseudoLabelHook"]

logger = logging.getLogger("reidzoo")

IMAGES = 4
"""Images of a cluster in a dry run, where the bounds allow it."""
LARGE, SHARE = 10, 0.05
"""A cluster is suspiciously large at this many times the middle one and this share of all images, or at half of all."""
_SHARES = ("purity", "pair_precision", "pair_recall", "cross_camera_recall")


@HOOK.register_module()
class PseudoLabelHook(Hook):
    """Relabels a training set, or one dataset of it, before an epoch with the clusters of its features.

    Where the images' true identities are known, as a benchmark's are, the labels are compared with them, in the log and
    as ``pseudo_labels`` in ``metrics.jsonl`` (``reidzoo.clustering.label_quality``). Nothing is chosen by it.

    The newest labels of one dataset, refined, are in ``pseudo_labels.csv``, for pictures of clusters, and
    ``pseudo_labels.json`` says how many clusters and images were found and kept, with that comparison before and after
    refinement; where an ``ExportPseudoLabelsHook`` is going to write these files they are left to it.

    With ``domain``, one set mixes labelled datasets and an unlabelled one, as the code of DomainMix has it: only that
    dataset's images are clustered. The classes of the others stay, first in number, with their rows of the classifier
    and what the optimizers know of these; the clusters' classes follow.

    Args:
        target: the training set's name.
        domain: the position, from 0, of the dataset to relabel among those of the training set; None for all of them.
        classifier: what a cluster's row of the classifier starts from: ``random`` numbers, or ``means``, the
            L2-normalised mean of its images' features.
        keep_moments: with ``domain``, a cluster's row begins with the moments that the optimizers had of the row in its
            place, as where a classifier of fixed size is overwritten; by default it begins with none.
        features: ``model`` extracts them, ``memory`` takes the rows that the part ``memory`` has of the set.
        min_size, max_size: images of a cluster that is kept (DomainMix Eq. 1: 5 and 120); 0 for no bound.
        outliers: ``drop`` leaves them out of training, ``singletons`` makes each a class of its own (SpCL).
        period: epochs between two clusterings, 1 or more.
    """

    priority = 30

    def __init__(
        self,
        target: str = "target",
        domain: int | None = None,
        features: str = "model",
        min_size: int = 0,
        max_size: int = 0,
        outliers: str = "drop",
        period: int = 1,
        classifier: str = "random",
        keep_moments: bool = False,
    ) -> None:
        check(self, TEXT, target=target)
        check(self, optional(whole(0)), domain=domain)
        check(self, one_of("model", "memory"), features=features)
        check(self, whole(0), min_size=min_size, max_size=max_size)
        check(self, one_of("drop", "singletons"), outliers=outliers)
        check(self, whole(1), period=period)
        check(self, one_of("random", "means"), classifier=classifier)
        check(self, FLAG, keep_moments=keep_moments)
        if max_size and min_size > max_size:
            raise ConfigError(f"{type(self).__name__}: min_size {min_size} is greater than max_size {max_size}")
        self.target, self.features, self.outliers, self.period = target, features, outliers, period
        self.min_size, self.max_size = min_size, max_size
        self.domain, self.classifier, self.keep_moments = domain, classifier, keep_moments
        self._truth: np.ndarray | None = None
        self._warned = False

    def before_train(self, runner: Runner) -> None:
        """Check that there is something to cluster, and something that does it."""
        if runner.clusterer is None or self.target not in runner.sets:
            raise ConfigError(
                f"HOOKS: pseudo labels need a CLUSTERER and a training set {self.target!r}; "
                f"the sets are {list(runner.sets)}"
            )
        count = len(runner.sets[self.target].datasets)
        if self.domain is not None and not (0 <= self.domain < count and count > 1 and self.features == "model"):
            raise ConfigError(
                f"HOOKS: PseudoLabelHook with domain {self.domain} relabels a dataset of a training set of several, by "
                f"features: model; {self.target!r} has {count}, and features is {self.features!r}"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Cluster, refine and relabel."""
        if runner.epoch % self.period:
            return
        features = self._features(runner)
        labels = self._labels(runner, features)
        if self.outliers == "singletons":
            labels = torch.from_numpy(singletons(labels.numpy()))
        self._relabel(runner, labels, features)

    def rehearse(self, runner: Runner) -> None:
        """Check what ``before_train`` does, and relabel by clusters of the images that follow one another."""
        self.before_train(runner)
        count = len(self._rows(runner))
        size = min(max(self.min_size, IMAGES), self.max_size or IMAGES)
        dim = runner.model.embedding_dim if self.classifier == "means" else 0
        self._relabel(runner, torch.arange(count) // size, torch.rand(count, dim))

    def _relabel(self, runner: Runner, labels: Tensor, features: Tensor) -> None:
        means = _sums(features, labels) if self.classifier == "means" else None
        if self.domain is None:
            runner.relabel(self.target, labels, means)
        else:
            self._relabel_domain(runner, labels, means)

    def _relabel_domain(self, runner: Runner, labels: Tensor, means: Tensor | None) -> None:
        """Number the clusters after the classes of the other datasets, whose rows of the classifier stay."""
        data = runner.sets[self.target]
        clustered = torch.from_numpy(data.domains == self.domain)
        pids = torch.from_numpy(data.pids.copy())
        first = int(pids[~clustered].max()) + 1
        pids[clustered] = torch.where(labels >= 0, labels + first, -1)
        rows = ClassifierRows(runner)
        runner.relabel(self.target, pids)
        rows.restore(runner, first, means, self.keep_moments)

    def _labels(self, runner: Runner, features: Tensor) -> Tensor:
        if is_main() and getattr(runner.clusterer, "on_device", False):
            features = resident(features, comparing_device(runner.device))
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
        title = f"features of {self.target}"
        if self.domain is None:
            return extract_train_features(runner, self.target, title=title)
        data, rows = runner.sets[self.target], self._rows(runner)
        table = build_test_table(runner.cfg, [data.paths[row] for row in rows])
        sides = [data.camids[rows], data.viewids[rows]]
        return extract_table(runner.cfg, runner.extractor, table, runner.device, title, sides=sides)

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
        data = runner.sets[self.target]
        return np.arange(len(data)) if self.domain is None else np.flatnonzero(data.domains == self.domain)

    def _keep(self, runner: Runner, clusters: np.ndarray, labels: np.ndarray, quality: Mapping[str, float]) -> None:
        """Write the labels and their counts, unless they are of several datasets or an export is to come."""
        one = self.domain is not None or len(runner.sets[self.target].datasets) == 1
        exports = any(isinstance(hook, ExportPseudoLabelsHook) for hook in runner.hooks.values())
        if one and not exports:
            self._write_all(runner, clusters, labels, quality)

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


@HOOK.register_module()
class ExportPseudoLabelsHook(PseudoLabelHook):
    """After training clusters the final model's features and writes ``pseudo_labels.csv``, refined, for a later stage.

    Next to it and to ``pseudo_labels.json`` ``pseudo_labels_initial.csv`` holds the labels before refinement, every
    outlier a class of its own.

    Args:
        target, features, min_size, max_size: as for ``PseudoLabelHook``.
    """

    priority = 35

    def __init__(self, target: str = "target", features: str = "model", min_size: int = 0, max_size: int = 0) -> None:
        super().__init__(target, features=features, min_size=min_size, max_size=max_size)

    def before_train(self, runner: Runner) -> None:
        """Refuse a set of several datasets: the file's paths are relative to one dataset's folder."""
        super().before_train(runner)
        if len(data := runner.sets[self.target].datasets) > 1:
            raise ConfigError(
                f"HOOKS: pseudo labels are written for one dataset, but the training set {self.target!r} has "
                f"{len(data)}; give each a training set and an export hook of its own"
            )

    def rehearse(self, runner: Runner) -> None:
        """Check what ``before_train`` does, and leave the labels alone."""
        self.before_train(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Leave the labels in training alone."""

    def after_train(self, runner: Runner) -> None:
        """Extract, cluster, refine, write."""
        self._labels(runner, self._features(runner))

    def _keep(self, runner: Runner, clusters: np.ndarray, labels: np.ndarray, quality: Mapping[str, float]) -> None:
        self._write(runner, "pseudo_labels_initial.csv", singletons(clusters))
        self._write_all(runner, clusters, labels, quality)


def _sums(features: Tensor, labels: Tensor) -> Tensor:
    """Return the sums (K, D) of the rows of each cluster, which point where their means do."""
    inside = labels >= 0
    sums = torch.zeros(int(labels.max()) + 1, features.shape[1])
    add_rows(sums, labels[inside], features[inside])
    return sums
