"""Pseudo labels: training on the clusters of a set's features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from reidzoo.add_rows import add_rows
from reidzoo.checks import FLAG, check, one_of, optional, whole
from reidzoo.clustering import singletons
from reidzoo.engine.build import build_test_table
from reidzoo.engine.classifier_rows import ClassifierRows
from reidzoo.engine.evaluate import extract_table
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.clustering_hook import ClusteringHook
from reidzoo.hooks.export_pseudo_labels import ExportPseudoLabelsHook
from reidzoo.registry import HOOK

__all__ = ["PseudoLabelHook"]

IMAGES = 4
"""Images of a cluster in a dry run, where the bounds allow it."""


@HOOK.register_module()
class PseudoLabelHook(ClusteringHook):
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
        super().__init__(target, features, min_size, max_size)
        check(self, optional(whole(0)), domain=domain)
        check(self, one_of("drop", "singletons"), outliers=outliers)
        check(self, whole(1), period=period)
        check(self, one_of("random", "means"), classifier=classifier)
        check(self, FLAG, keep_moments=keep_moments)
        self.outliers, self.period = outliers, period
        self.domain, self.classifier, self.keep_moments = domain, classifier, keep_moments

    def before_train(self, runner: Runner) -> None:
        """Check that there is something to cluster, something that does it, and a dataset of the number ``domain``."""
        super().before_train(runner)
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

    def _features(self, runner: Runner) -> Tensor:
        if self.domain is None:
            return super()._features(runner)
        data, rows = runner.sets[self.target], self._rows(runner)
        table = build_test_table(runner.cfg, [data.paths[row] for row in rows])
        sides = [data.camids[rows], data.viewids[rows]]
        title = f"features of {self.target}"
        return extract_table(runner.cfg, runner.extractor, table, runner.device, title, sides=sides)

    def _rows(self, runner: Runner) -> np.ndarray:
        if self.domain is None:
            return super()._rows(runner)
        return np.flatnonzero(runner.sets[self.target].domains == self.domain)

    def _keep(self, runner: Runner, clusters: np.ndarray, labels: np.ndarray, quality: Mapping[str, float]) -> None:
        """Write the labels and their counts, unless they are of several datasets or an export is to come."""
        one = self.domain is not None or len(runner.sets[self.target].datasets) == 1
        exports = any(isinstance(hook, ExportPseudoLabelsHook) for hook in runner.hooks.values())
        if one and not exports:
            self._write_all(runner, clusters, labels, quality)


def _sums(features: Tensor, labels: Tensor) -> Tensor:
    """Return the sums (K, D) of the rows of each cluster, which point where their means do."""
    inside = labels >= 0
    sums = torch.zeros(int(labels.max()) + 1, features.shape[1])
    add_rows(sums, labels[inside], features[inside])
    return sums
