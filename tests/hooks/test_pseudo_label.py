from __future__ import annotations

import json

import pytest

from reidzoo.config import load_config
from reidzoo.datasets import read_pseudo_labels
from reidzoo.engine.pipeline import Pipeline
from reidzoo.errors import ConfigError, UserError

CLUSTERER = {"type": "JaccardDBSCAN", "k1": 6, "k2": 2, "eps": 0.8, "min_samples": 2}
UNLABELLED = {"train": {"type": "Unlabeled", "dataset": {"type": "Market1501"}}}


def config(write_config, **hook):
    return write_config(
        DATASETS={"TRAIN": UNLABELLED},
        CLUSTERER=CLUSTERER,
        HOOKS={"cluster": {"type": "PseudoLabelHook", "target": "train", **hook}},
        SOLVER={"IMS_PER_BATCH": 8, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 2},
    )


def test_unsupervised_training_and_export(write_config, tmp_path):
    path = config(write_config, outliers="singletons")
    overrides = ["HOOKS.export", "{type: ExportPseudoLabelsHook, target: train, min_size: 3, max_size: 20}"]
    Pipeline(load_config(path, opts=overrides)).train()
    labels = list(read_pseudo_labels(tmp_path / "run" / "pseudo_labels.csv").values())
    sizes = [labels.count(label) for label in set(labels) - {-1}]
    assert len(labels) == 72 and sizes and all(3 <= size <= 20 for size in sizes)
    counts = json.loads((tmp_path / "run" / "pseudo_labels.json").read_text())
    assert counts["images_kept"] == sum(sizes) and counts["clusters_kept"] == len(sizes)
    initial = list(read_pseudo_labels(tmp_path / "run" / "pseudo_labels_initial.csv").values())
    assert min(initial) == 0 and len(set(initial)) == counts["clusters"] + counts["outliers"]


def test_clusters_that_vanish_end_the_run_with_the_way_out(write_config):
    with pytest.raises(UserError, match=r"no cluster.*CLUSTERER\.eps"):
        Pipeline(load_config(config(write_config, min_size=73))).train()


def test_export_of_several_datasets_is_refused(write_config):
    hook = "{type: ExportPseudoLabelsHook, target: train}"
    overrides = ["DATASETS.TRAIN.train", "[RandPerson, Market1501]", "HOOKS.export", hook]
    with pytest.raises(ConfigError, match="has 2"):
        Pipeline(load_config(config(write_config), opts=overrides)).train()


def test_mistakes_are_named(write_config):
    with pytest.raises(ConfigError, match="drop\\|singletons"):
        Pipeline(load_config(config(write_config, outliers="keep"))).train()
    with pytest.raises(ConfigError, match="CLUSTERER"):
        Pipeline(load_config(config(write_config), opts=["CLUSTERER", "null"])).train()
