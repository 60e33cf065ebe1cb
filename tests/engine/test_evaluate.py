"""A model may embed the two sides of a test by different networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reidzoo.config import load_config
from reidzoo.datasets import build_dataset
from reidzoo.engine.evaluate import evaluate_dataset
from reidzoo.evaluation import evaluate_ranking


class Colours(nn.Module):
    """Embeds an image by the mean colours of its halves, rolled by so many places; notes which images it saw."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def colours(self, images, name, roll):
        self.seen.append((name, len(images)))
        return images.unflatten(2, (2, -1)).mean((3, 4)).flatten(1).roll(roll, 1)

    def embed(self, images):
        return nn.functional.normalize(self.colours(images, "embed", 0))


class TwoSided(Colours):
    def embed_query(self, images):
        return self.colours(images, "query", 1)

    def embed_gallery(self, images):
        return self.colours(images, "gallery", 1)


class Unequal(TwoSided):
    def embed_gallery(self, images):
        return self.colours(images, "gallery", 0)


def evaluate(write_config, model, *opts):
    cfg = load_config(write_config(), opts=["TEST.IMS_PER_BATCH", "7", *opts])
    dataset = build_dataset("Market1501", root=cfg.DATASETS.ROOT)
    return evaluate_dataset(cfg, model, dataset, torch.device("cpu")), dataset


def test_one_network_embeds_queries_and_gallery_together(write_config):
    model = Colours()
    _, dataset = evaluate(write_config, model)
    total = len(dataset.query) + len(dataset.gallery)
    assert model.seen == [("embed", min(7, total - first)) for first in range(0, total, 7)]


def test_each_side_is_embedded_by_its_own(write_config):
    model = TwoSided()
    found, dataset = evaluate(write_config, model)
    counts = {name: sum(n for side, n in model.seen if side == name) for name, _ in model.seen}
    assert counts == {"query": len(dataset.query), "gallery": len(dataset.gallery)}
    assert found == evaluate(write_config, Colours())[0]  # both roll alike, so every distance is that of one network
    assert evaluate(write_config, Unequal())[0]["mAP"] < found["mAP"]


def test_distances_are_of_the_features_as_they_are(write_config):
    class Long(TwoSided):
        def embed_gallery(self, images):
            return 3 * super().embed_gallery(images)

    plain = evaluate(write_config, TwoSided(), "TEST.METRIC", "euclidean")[0]
    assert evaluate(write_config, Long(), "TEST.METRIC", "euclidean")[0] != plain
    assert evaluate(write_config, Long())[0] == evaluate(write_config, TwoSided())[0]  # by the angle no norm matters


@pytest.mark.parametrize("name, repeats", [("VIPeR", 1), ("CUHK03", 20), ("Market1501", None)])
def test_a_dataset_says_how_often_its_gallery_is_drawn(write_config, name, repeats, monkeypatch):
    asked = []

    def spy(*args, **options):
        asked.append((options["protocol"], options["repeats"]))
        return evaluate_ranking(*args, **options)

    monkeypatch.setattr("reidzoo.engine.evaluate.evaluate_ranking", spy)
    cfg = load_config(write_config())
    dataset = build_dataset(name, root=cfg.DATASETS.ROOT)
    found = evaluate_dataset(cfg, Colours(), dataset, torch.device("cpu"))
    assert asked == [(dataset.protocol, repeats)] and dataset.repeats == repeats
    if name == "CUHK03":  # single-shot: mAP is the mean reciprocal rank of the one image of the identity
        pids = [np.array([r.pid for r in side]) for side in (dataset.query, dataset.gallery)]
        assert len(set(pids[1])) < len(pids[1]) and found["rank-10"] == 1.0  # of 4 ranked images
