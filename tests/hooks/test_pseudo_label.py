from __future__ import annotations

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reidzoo.clustering import label_quality
from reidzoo.config import load_config
from reidzoo.datasets import build_dataset, read_pseudo_labels
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.engine.run_folder import RunFolder
from reidzoo.errors import ConfigError, UserError
from reidzoo.hooks import ExportPseudoLabelsHook, PseudoLabelHook
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline
from reidzoo.testing import in_two_processes

pytestmark = pytest.mark.slow

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


def test_labels_are_made_once_a_period(monkeypatch):
    made = []
    hook = PseudoLabelHook("train", period=3)
    monkeypatch.setattr(hook, "_features", lambda runner: None)
    monkeypatch.setattr(hook, "_labels", lambda runner, features: None)
    monkeypatch.setattr(hook, "_keep", lambda runner, labels: None)
    monkeypatch.setattr(hook, "_relabel", lambda runner, *_: made.append(runner.epoch))
    for epoch in range(8):
        hook.before_train_epoch(SimpleNamespace(epoch=epoch))
    assert made == [0, 3, 6]


def test_the_newest_labels_are_kept_for_pictures(write_config, tmp_path):
    """Where nothing exports any: a report shows clusters of every run that has some, also while it trains."""
    Pipeline(load_config(config(write_config, outliers="singletons"))).train()
    labels = list(read_pseudo_labels(tmp_path / "run" / "pseudo_labels.csv").values())
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    quality = [row["pseudo_labels"] for row in rows if "pseudo_labels" in row][-1]
    assert len(labels) == 72 and max(labels) + 1 == quality["clusters"] and labels.count(-1) == quality["outliers"]
    counts = json.loads((tmp_path / "run" / "pseudo_labels.json").read_text())
    assert counts["quality"] == quality and counts["images"] == 72 and counts["clusters_kept"] == quality["clusters"]
    results = RunFolder(tmp_path / "run").stage().read_results()  # where tables and records find them
    assert results.pop("pseudo_labels") == quality and all("mAP" in figures for figures in results.values())


def test_what_an_export_cannot_use_it_does_not_take():
    for argument in ("period", "classifier", "keep_moments", "outliers", "domain"):
        with pytest.raises(TypeError, match=argument):
            ExportPseudoLabelsHook(**{argument: 1})


def test_labels_are_compared_with_the_true_identities_and_training_does_not_see_them(
    write_config, tmp_path, monkeypatch, tiny_root
):
    path = config(write_config, outliers="singletons")
    export = ["HOOKS.export", "{type: ExportPseudoLabelsHook, target: train, min_size: 3, max_size: 20}"]

    def train(name):
        run = tmp_path / name
        Pipeline(load_config(path, opts=[*export, "OUTPUT_DIR", str(run)])).train()
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        weights = torch.load(run / "model_final.pth", weights_only=True)["parts"]["model"]
        return (
            weights,
            [row for row in rows if "pseudo_labels" in row],
            json.loads((run / "pseudo_labels.json").read_text()),
        )

    weights, rows, counts = train("known")
    assert [row["epoch"] for row in rows] == [0, 1, 2]  # before either epoch, and after the last
    assert rows[-1]["pseudo_labels"] == counts["quality"] and counts["quality"]["clusters"] == counts["clusters_kept"]
    records = build_dataset("Market1501", root=tiny_root).train
    labels = list(read_pseudo_labels(tmp_path / "known" / "pseudo_labels.csv").values())
    expected = label_quality(
        np.array(labels), *(np.array([getattr(r, key) for r in records]) for key in ("pid", "camid"))
    )
    assert counts["quality"] == pytest.approx(expected) and 0 < expected["pair_precision"] <= 1
    monkeypatch.setattr("reidzoo.hooks.clustering_hook.true_identities", lambda data: np.full(len(data), -1))
    unknown, rows, counts = train("unknown")
    assert "purity" not in counts["quality"] and "size_50" in rows[0]["pseudo_labels"]
    assert all(torch.equal(value, unknown[name]) for name, value in weights.items())


def test_clusters_that_vanish_end_the_run_with_the_way_out(write_config):
    with pytest.raises(UserError, match=r"no cluster.*CLUSTERER\.eps"):
        Pipeline(load_config(config(write_config, min_size=73))).train()


@pytest.mark.parametrize("largest, warned", [(40, True), (36, False)])
def test_a_cluster_that_swallows_the_others_is_warned_of(mixed, caplog, largest, warned):
    hook = PseudoLabelHook(target="train", domain=1)
    small = (72 - largest) // 4
    labels = [0] * largest + [1 + i // 4 for i in range(4 * small)]
    mixed.clusterer = Fixed(labels, labels)
    for _ in range(2):
        hook.before_train_epoch(mixed)
    assert caplog.text.count("a smaller k1") == warned  # once, not at every clustering
    assert ("40 of 72 images, the middle one 4" in caplog.text) == warned


def test_export_of_several_datasets_is_refused(write_config):
    hook = "{type: ExportPseudoLabelsHook, target: train}"
    overrides = ["DATASETS.TRAIN.train", "[RandPerson, Market1501]", "HOOKS.export", hook]
    with pytest.raises(ConfigError, match="has 2"):
        Pipeline(load_config(config(write_config), opts=overrides)).train()


def test_mistakes_are_named(write_config):
    with pytest.raises(ConfigError, match="drop, singletons"):
        Pipeline(load_config(config(write_config, outliers="keep"))).train()
    with pytest.raises(ConfigError, match="min_size 5 is greater than max_size 4"):
        PseudoLabelHook(min_size=5, max_size=4)
    PseudoLabelHook(min_size=4, max_size=4)
    with pytest.raises(ConfigError, match="CLUSTERER"):
        Pipeline(load_config(config(write_config), opts=["CLUSTERER", "null"])).train()


MIXED = {"train": ["RandPerson", {"type": "Unlabeled", "dataset": {"type": "Market1501"}}]}


@pytest.fixture
def mixed(write_config, tmp_path):
    cfg = load_config(write_config(DATASETS={"TRAIN": MIXED}, CLUSTERER=CLUSTERER))
    arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
    trainer = TRAINER.build(cfg.TRAINER, **arguments)
    trainer.parts.train()
    return trainer


class Fixed:
    """A clusterer that gives the labels it is told, one call after another, and keeps the features."""

    def __init__(self, *labels):
        self.labels, self.features = list(labels), []

    def fit_predict(self, features):
        self.features.append(features)
        return np.array(self.labels.pop(0))


def test_every_process_says_that_no_cluster_is_left(mixed):
    hook = PseudoLabelHook(target="train", domain=1)
    hook._features = lambda runner: torch.zeros(72, 1)
    mixed.clusterer = Fixed([-1] * 72)

    def work():
        with pytest.raises(UserError) as raised:
            hook.before_train_epoch(mixed)
        return str(raised.value)

    assert all("no cluster of 'train' is left" in said for said in in_two_processes(work))


def test_one_dataset_of_a_joined_set_is_relabelled_and_the_other_keeps_labels_and_rows(mixed):
    hook = PseudoLabelHook(target="train", domain=1, min_size=3, classifier="means")
    mixed.clusterer = Fixed([0] * 30 + [1] * 2 + [2] * 30 + [-1] * 10, [1] * 36 + [0] * 36)
    data = mixed.sets["train"]
    synthetic = data.pids[:72].copy()
    assert (data.pids[72:] == -1).all() and mixed.num_classes == 12
    hook.before_train(mixed)
    hook.before_train_epoch(mixed)
    assert (data.pids[:72] == synthetic).all() and mixed.num_classes == 14
    assert data.pids[72:].tolist() == [12] * 30 + [-1] * 2 + [13] * 30 + [-1] * 10  # the cluster of two is discarded
    assert mixed.clusterer.features[0].shape == (72, mixed.model.embedding_dim)  # of the unlabelled images alone
    weight = mixed.model.head.classifier.weight
    mean = torch.nn.functional.normalize(mixed.clusterer.features[0][:30].mean(0), dim=0)
    torch.testing.assert_close(weight[12], mean)
    seen = set()
    for batch in mixed.loader.epoch(0):
        mixed.train_step(batch)
        seen |= set(batch["pid"].tolist())
    assert seen & {12, 13} and -1 not in seen
    before = weight.detach().clone()
    mixed.epoch = 1
    hook.before_train_epoch(mixed)
    assert torch.equal(mixed.model.head.classifier.weight[:12], before[:12])
    assert data.pids[72:].tolist() == [13] * 36 + [12] * 36


def test_bounds_and_what_is_counted_before_and_after_them(mixed, tmp_path):
    hook = PseudoLabelHook(target="train", domain=1, min_size=3, max_size=30)
    mixed.clusterer = Fixed([0] * 31 + [1] * 30 + [2] * 2 + [-1] * 9)
    hook.before_train_epoch(mixed)
    assert mixed.sets["train"].pids[72:].tolist() == [-1] * 31 + [12] * 30 + [-1] * 11
    counts = json.loads((tmp_path / "pseudo_labels.json").read_text())
    qualities = [counts.pop(name)["clusters"] for name in ("quality", "quality_before_refinement")]
    assert counts == {"clusters": 3, "images": 72, "outliers": 9, "clusters_kept": 1, "images_kept": 30}
    assert qualities == [1, 3]


def test_features_of_a_memory_are_those_of_the_target():
    memory = SimpleNamespace(features=torch.randn(5, 2), num_source=2)
    found = PseudoLabelHook(features="memory")._features(SimpleNamespace(parts={"memory": memory}))
    assert torch.equal(found, memory.features[2:])


def test_one_dataset_is_embedded_as_the_whole_set_would_be(mixed):
    """Resized as the tests resize, by what the trainer embeds training images with."""
    mixed.cfg.defrost()
    mixed.cfg.INPUT.TEST_INTERPOLATION = "bicubic" if mixed.cfg.INPUT.INTERPOLATION == "bilinear" else "bilinear"
    mixed.cfg.freeze()
    hook = PseudoLabelHook(target="train", domain=1)
    mixed.parts.eval()
    found = hook._features(mixed)
    torch.testing.assert_close(found, extract_train_features(mixed, "train")[72:])


def test_a_joined_run_resumes_with_its_labels_and_moments(mixed, write_config, tmp_path):
    hook = PseudoLabelHook(target="train", domain=1, classifier="means", keep_moments=True)
    mixed.clusterer = Fixed([0] * 40 + [1] * 32, [0] * 20 + [1] * 20 + [2] * 32)
    for mixed.epoch in range(2):
        hook.before_train_epoch(mixed)
        mixed.train_step(next(mixed.loader.epoch(mixed.epoch)))
    cfg = mixed.cfg
    arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
    other = TRAINER.build(cfg.TRAINER, **arguments)
    other.load_state_dict(copy.deepcopy(mixed.state_dict()))
    other.parts.train()
    batches = [next(trainer.loader.epoch(2)) for trainer in (mixed, other)]
    assert torch.equal(batches[0]["pid"], batches[1]["pid"])
    for trainer, batch in zip((mixed, other), batches):
        trainer.train_step(batch)
    for key, value in mixed.parts.state_dict().items():
        assert torch.equal(other.parts.state_dict()[key], value), key


@pytest.mark.parametrize("options", [{"domain": 2}, {"domain": -1}, {"domain": 1, "features": "memory"}])
def test_a_domain_that_is_not_there_is_named(mixed, options):
    with pytest.raises(ConfigError, match=r"has 2|domain must be"):
        PseudoLabelHook(target="train", **options).before_train(mixed)
    with pytest.raises(ConfigError, match="random, means"):
        PseudoLabelHook(classifier="zeros")
