"""A run's folder as a training leaves it, made without training, and a plain test set with features."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from reidzoo.config import dump, load_config, stage_configs
from reidzoo.datasets import MSMT17, Record, write_pseudo_labels
from reidzoo.engine.build import build_model
from reidzoo.files import atomic_save
from reidzoo.reporting.retrieval import Retrieval

FIGURES = {"mAP": 0.25, "rank-1": 0.5, "rank-5": 0.75, "rank-10": 0.8, "rank-20": 0.9, "mINP": 0.1}
QUALITY = {"clusters": 3.0, "outliers": 5.0, "purity": 0.9, "pair_precision": 0.8, "pair_recall": 0.7}


def steps(epochs, losses, length=4):
    for epoch in range(epochs):
        for step in range(2, length + 1, 2):
            values = dict.fromkeys(losses(epoch), 2.0 / (1 + epoch + step))
            yield {"iter": epoch * length + step, "epoch": epoch, "step": step, **values, "lr/model": 1e-3}
        yield {"iter": (epoch + 1) * length, "epoch": epoch + 1, "evaluation": {"Market1501 twin": FIGURES}}


@pytest.fixture
def run_folder(write_config, tmp_path, tiny_root):
    """A finished run of two stages: pseudo labels of MSMT17's images, then phases by epochs, and an alternation."""
    stages = {
        "label": {"DATASETS": {"TRAIN": {"train": "MSMT17"}}},
        "last": {"HOOKS": {"phases": {"type": "EpochPhaseHook", "order": ["model", "discriminator"]}}},
    }
    cfg = load_config(write_config(STAGES=stages))
    folder = tmp_path / "run"
    for name, losses in (
        ("label", lambda _: ["id"]),
        ("last", lambda epoch: ["domain" if epoch % 2 else "id"]),
    ):
        (folder / name).mkdir(parents=True)
        rows = list(steps(3, losses))
        if name == "label":
            rows.insert(0, {"iter": 0, "epoch": 0, "pseudo_labels": QUALITY | {"cross_camera_recall": 0.6}})
        (folder / name / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = MSMT17(str(tiny_root))
    labels = [row % 3 if row % 7 else -1 for row in range(len(dataset.train))]
    write_pseudo_labels(folder / "label" / "pseudo_labels.csv", dataset.train, labels, dataset.folder)
    turns = [
        {"iter": 4 * n, "epoch": n, "number": 1, "phase": "m" if n else "", "measured": {"a": 0.5}} for n in (0, 1)
    ]
    switch = {"number": 1, "iter": 0, "from": "begin", "to": "m", "measured": {"a": 0.5}, "thresholds": {"goal": 0.6}}
    record = {"rule": {}, "switches": [switch], "timeline": turns}
    (folder / "label" / "alternation.json").write_text(json.dumps(record))
    (folder / "config.yml").write_text(dump(cfg))
    (folder / "environment.json").write_text(json.dumps({"command": "reidzoo train <&>", "torch": "2"}))
    torch.manual_seed(0)
    for name, stage in stage_configs(cfg).items():
        atomic_save({"model": build_model(stage, 0).state_dict()}, folder / name / "model_final.pth")
    return folder


@pytest.fixture
def make_retrieval(tiny_root):
    """Return a function that gives an evaluation of made-up features of images that are there."""
    from reidzoo.datasets import Market1501

    path = Market1501(str(tiny_root)).query[0].path

    def make(query=((1, 0), (2, 0), (3, 0)), gallery=((1, 1), (2, 1), (3, 1), (2, 0), (-1, 1)), seed=0, **options):
        rng = np.random.default_rng(seed)
        sides = [[Record(path, pid, camid) for pid, camid in side] for side in (query, gallery)]
        features = [torch.from_numpy(rng.normal(size=(len(side), 6)).astype(np.float32)) for side in sides]
        features = [options.pop(name, value) for name, value in zip(("q", "g"), features)]
        ids = [np.array([getattr(r, key) for r in side]) for key in ("pid", "camid") for side in sides]
        return Retrieval.of_features("made up", *sides, *features, *ids, **options)

    return make
