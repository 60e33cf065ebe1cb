"""A linear probe: how much of a nuisance, the domain, the camera or the view, the features still tell."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.checks import NODE_OR_NAME, check, each, number, one_of, whole
from reidzoo.clustering.label_cleaning import singletons
from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.datasets.nodes import check_node
from reidzoo.distributed import is_main
from reidzoo.engine.build import build_test_table
from reidzoo.engine.evaluate import extract_table
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.evaluation import EvaluationInputError, linear_probe, probe_split
from reidzoo.hooks.held_out import held_out_part
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["ProbeHook"]

logger = logging.getLogger("reidzoo")


@HOOK.register_module()
class ProbeHook(Hook):
    """Fits a fresh linear classifier of domain, camera or view to frozen features, and tests it on other identities.

    Its result is called ``probe`` in ``metrics.jsonl`` and ``results.json``, next to the unseen targets:
    ``domain_accuracy``, the mean over the domains of the share classified correctly, and ``domain_chance``. The images,
    the identities that the classifier is tested on and the classifier are the same in every stage, run and seed, and
    the run's random numbers are not touched: a run with the probe gives the weights of the run without it. Nothing is
    chosen by it.

    Args:
        label: ``domain``, ``camid``, or ``view``, the ``viewid`` that ``TwoViews`` gives: images of view 0 are embedded
            by the model's ``embed_query``, of view 1 by its ``embed_gallery``, if it has these. Identities with views
            are few, so that each half of them is tested on by a classifier of the other half.
        datasets: the datasets whose training images are probed, a domain each; by default those of the stage's training
            sets. Named datasets make stages that train on different sets comparable. Their identities serve for the
            split only, so a dataset that training sees as ``Unlabeled`` is named as it is.
        part: ``train`` probes what is trained on; ``val``, where no datasets are named, identities that are held out of
            it: the only training set with ``part: val`` where a wrapper in it has ``part: train``.
        images: the largest number of images of one domain or camera to learn from, and as many to test on.
        l2: regularisation, see ``linear_probe``.
        period: epochs between two probes; 0 for one at the end of the stage.
        seed: chooses images and identities.
    """

    priority = 35  # before the evaluation, which writes what both have found

    def __init__(
        self,
        label: str = "domain",
        datasets: Sequence[str | Mapping[str, Any]] = (),
        part: str = "train",
        images: int = 500,
        l2: float = 1e-3,
        period: int = 0,
        seed: int = 0,
    ) -> None:
        check(self, one_of("domain", "camid", "view"), label=label)
        check(self, one_of("train", "val"), part=part)
        check(self, each(NODE_OR_NAME), datasets=datasets)
        for node in datasets:
            check_node(self, datasets=node)
        check(self, whole(1), images=images)
        check(self, number(0), l2=l2)
        check(self, whole(0), period=period, seed=seed)
        self.label, self.datasets, self.part = label, list(datasets), part
        self.images, self.l2, self.period, self.seed = images, l2, period, seed

    def before_train(self, runner: Runner) -> None:
        """Check, before anything is trained, that there is something to classify."""
        self._choose(runner)

    def rehearse(self, runner: Runner) -> None:
        """Check that there is something to classify."""
        self._choose(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Probe if it is time."""
        epoch = runner.epoch + 1
        if epoch == runner.max_epochs or (self.period and epoch % self.period == 0):
            accuracy, chance = self._probe(runner)
            figures = {f"{self.label}_accuracy": accuracy, f"{self.label}_chance": chance}
            runner.metrics = {**runner.metrics, "probe": figures}
            if is_main():
                logger.info("probe: %s accuracy %.1f %% (chance %.1f %%)", self.label, 100 * accuracy, 100 * chance)

    def _probe(self, runner: Runner) -> tuple[float, float]:
        paths, labels, learns, tests = self._choose(runner)
        rows = np.concatenate([learns, tests])
        features = self._embed(runner, [paths[row] for row in rows], labels[rows])
        sides = list(zip(features.split([len(learns), len(tests)]), (labels[learns], labels[tests])))
        turns = [sides, sides[::-1]] if self.label == "view" else [sides]
        accuracies, chances = zip(*[linear_probe(*learnt, *tested, self.l2) for learnt, tested in turns])
        return float(np.mean(accuracies)), chances[0]

    def _embed(self, runner: Runner, paths: Sequence[str], labels: np.ndarray) -> Tensor:
        """Return the features (N, D) of images; with two networks, each view's by its own."""
        methods = ["embed"] * len(paths)
        if self.label == "view" and hasattr(runner.model, "embed_query"):
            methods = [("embed_query", "embed_gallery")[view] for view in labels]
        order: list[int] = []
        found: list[Tensor] = []
        for method in dict.fromkeys(methods):
            rows = [row for row, chosen in enumerate(methods) if chosen == method]
            table = build_test_table(runner.cfg, [paths[row] for row in rows])
            order += rows
            found.append(
                extract_table(runner.cfg, runner.model, table, runner.device, f"probing the {self.label}", method)
            )
        return torch.cat(found)[np.argsort(order)]

    def _choose(self, runner: Runner) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
        """Return the paths and labels of the images that have one, and the rows to learn from and to test on."""
        sets = self._sets(runner)
        paths = np.array([path for data in sets for path in data.paths])
        identities = _numbered_on([singletons(data.pids) for data in sets])
        labels = self._labels(sets)
        paths, identities, labels = (column[labels >= 0] for column in (paths, identities, labels))
        try:
            return paths.tolist(), labels, *probe_split(labels, identities, self.images, self.seed)
        except EvaluationInputError as error:
            raise ConfigError(
                f"HOOKS: ProbeHook cannot tell {self.label} apart in {self._names(sets)}: {error}. "
                f"Name the datasets to probe under its 'datasets', or set the hook to null"
            ) from None

    def _sets(self, runner: Runner) -> list[TrainSet]:
        """Return the sets whose images are probed."""
        root, nodes = runner.cfg.DATASETS.ROOT, self.datasets
        if not nodes and self.part == "train":
            return list(runner.sets.values())
        nodes = nodes or [held_out_part(self, runner.cfg.DATASETS.TRAIN)]
        return [TrainSet([build_dataset(node, root=root) for node in nodes])]

    def _labels(self, sets: Sequence[TrainSet]) -> np.ndarray:
        """Return the label of each image, -1 where it has none."""
        if self.label == "view":  # a view means the same in every set
            return np.concatenate([data.viewids for data in sets])
        return _numbered_on([data.domains if self.label == "domain" else data.camids for data in sets])

    @staticmethod
    def _names(sets: Sequence[TrainSet]) -> str:
        return ", ".join(dataset.name for data in sets for dataset in data.datasets)


def _numbered_on(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Join the sets' columns so that no two sets share a value."""
    joined, begin = [], 0
    for column in columns:
        joined.append(column + begin)
        begin += int(column.max()) + 1
    return np.concatenate(joined)
