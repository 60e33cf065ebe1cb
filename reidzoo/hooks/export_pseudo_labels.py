"""Export of pseudo labels at the end of a stage, for a later one to train on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reidzoo.clustering import singletons
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.clustering_hook import ClusteringHook
from reidzoo.registry import HOOK

__all__ = ["ExportPseudoLabelsHook"]


@HOOK.register_module()
class ExportPseudoLabelsHook(ClusteringHook):
    """After training clusters the final model's features and writes ``pseudo_labels.csv``, refined, for a later stage.

    Next to it and to ``pseudo_labels.json`` ``pseudo_labels_initial.csv`` holds the labels before refinement, every
    outlier a class of its own.

    Args:
        target, features, min_size, max_size: as for ``PseudoLabelHook``.
    """

    priority = 35

    def before_train(self, runner: Runner) -> None:
        """Refuse a set of several datasets: the file's paths are relative to one dataset's folder."""
        super().before_train(runner)
        if len(data := runner.sets[self.target].datasets) > 1:
            raise ConfigError(
                f"HOOKS: pseudo labels are written for one dataset, but the training set {self.target!r} has "
                f"{len(data)}; give each a training set and an export hook of its own"
            )

    def rehearse(self, runner: Runner) -> None:
        """Check what ``before_train`` does."""
        self.before_train(runner)

    def after_train(self, runner: Runner) -> None:
        """Extract, cluster, refine, write."""
        self._labels(runner, self._features(runner))

    def _keep(self, runner: Runner, clusters: np.ndarray, labels: np.ndarray, quality: Mapping[str, float]) -> None:
        self._write(runner, "pseudo_labels_initial.csv", singletons(clusters))
        self._write_all(runner, clusters, labels, quality)
