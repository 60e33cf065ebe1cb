"""A model may embed the two sides of a test by different networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reidzoo.config import load_config
from reidzoo.datasets import build_dataset
from reidzoo.engine.evaluate import FIGURES, evaluate_dataset, evaluate_targets, target_figures
from reidzoo.errors import ConfigError
from reidzoo.evaluation import KReciprocal, average_query_expansion, evaluate_ranking
from reidzoo.runs.pipeline import Pipeline


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


@pytest.fixture
def ranked(monkeypatch):
    """The features and options of each ranking, as ``evaluate_ranking`` gets them."""
    seen = []

    def spy(queries, galleries, *ids, **options):
        seen.append((np.asarray(queries), np.asarray(galleries), ids, options))
        return evaluate_ranking(queries, galleries, *ids, **options)

    monkeypatch.setattr("reidzoo.engine.evaluate.evaluate_ranking", spy)
    return seen


def test_the_figures_and_their_order(write_config):
    found = evaluate(write_config, Colours())[0]
    assert tuple(found) == FIGURES
    assert found["rank-1"] <= found["rank-5"] <= found["rank-10"] <= found["rank-20"] <= 1


def test_roc_adds_the_true_positive_rate_at_each_rate(write_config, ranked):
    plain = evaluate(write_config, Colours())[0]
    found = evaluate(write_config, Colours(), "TEST.ROC.ENABLED", "true", "TEST.ROC.RATES", "[0.02, 0.5]")[0]
    assert {key: found[key] for key in plain} == plain
    assert list(found)[len(plain) :] == ["TPR@FPR=0.02", "TPR@FPR=0.5"]
    query, gallery, (pids, others, cameras, other_cameras), _ = ranked[0]
    cosine = query.astype(np.float64) @ gallery.T.astype(np.float64)
    same = pids[:, None] == others
    matches = np.sort(cosine[same & (cameras[:, None] != other_cameras)])
    strangers = np.sort(cosine[~same])[::-1]
    for rate in (0.02, 0.5):
        expected = np.mean(matches > strangers[int(rate * len(strangers))])
        assert found[f"TPR@FPR={rate}"] == pytest.approx(expected, abs=2 / len(matches))  # float32 may tell ties apart
    assert list(evaluate(write_config, Colours(), "TEST.ROC.ENABLED", "true")[0])[len(plain) :] == [
        "TPR@FPR=0.0001", "TPR@FPR=0.001", "TPR@FPR=0.01",
    ]  # fmt: skip


@pytest.mark.parametrize("k, alpha", [(1, 0.0), (4, 0.0), (4, 3.0)])
def test_query_expansion_ranks_by_the_expanded_queries(write_config, ranked, k, alpha):
    on = ["TEST.QUERY_EXPANSION.ENABLED", "true", "TEST.QUERY_EXPANSION.K", k, "TEST.QUERY_EXPANSION.ALPHA", alpha]
    evaluate(write_config, Colours(), *on[2:])  # the settings alone switch nothing on
    evaluate(write_config, Colours(), *on)
    (query, gallery, *_), (expanded, same_gallery, *_) = ranked
    expected = average_query_expansion(query, gallery, k, alpha=alpha)
    assert np.abs(expected - query).max() > 1e-3
    np.testing.assert_allclose(expanded, expected, atol=1e-6)
    np.testing.assert_array_equal(same_gallery, gallery)


def test_expanded_queries_can_be_reranked(write_config, ranked):
    on = ["TEST.QUERY_EXPANSION.ENABLED", "true", "TEST.RERANK.ENABLED", "true", "TEST.RERANK.K1", 8]
    evaluate(write_config, Colours(), *on)
    assert ranked[0][3]["rerank"] == KReciprocal(8, 6, 0.3)


WRONG = [
    (["TEST.METRIC", "manhattan"], "TEST.METRIC: expected cosine or euclidean"),
    (["TEST.PROTOCOL", "market"], "TEST.PROTOCOL: the protocol of Market1501='market' is not known"),
    (["TEST.RERANK.ENABLED", "true", "TEST.RERANK.K1", "0"], r"TEST.RERANK.K1: expected .*; got 0"),
    (["TEST.ROC.ENABLED", "true", "TEST.ROC.RATES", "[0.1, 1.0]"], r"TEST.ROC.RATES: expected .*; got \[0.1, 1.0\]"),
    (["TEST.ROC.ENABLED", "true", "TEST.ROC.RATES", "[]"], r"TEST.ROC.RATES: expected .*; got \[\]"),
    (["TEST.ROC.ENABLED", "true", "TEST.ROC.RATES", "[few]"], r"TEST.ROC.RATES\[0\]: expected a number"),
    (
        ["TEST.QUERY_EXPANSION.ENABLED", "true", "TEST.QUERY_EXPANSION.K", "0"],
        r"EXPANSION.K: .*; got 0",
    ),
    (
        ["TEST.QUERY_EXPANSION.ENABLED", "true", "TEST.QUERY_EXPANSION.ALPHA", "-1"],
        r"ALPHA: .*; got -1.0",
    ),
    (["TEST.QUERY_EXPANSION.ENABLED", "true", "TEST.METRIC", "euclidean"], "needs TEST.METRIC cosine"),
    (["TEST.QUERY_EXPANSION.ENABLED", "true", "TEST.PROTOCOL", "cuhk03"], "TEST.QUERY_EXPANSION: the protocol of"),
    (["TEST.RERANK.ENABLED", "true", "TEST.PROTOCOL", "cuhk03"], "TEST.RERANK: the protocol of Market1501 draws"),
    (["TEST.ROC.ENABLED", "true", "DATASETS.TESTS", "[VIPeR]"], "TEST.ROC: the protocol of VIPeR draws one"),
    (["DATASETS.TESTS", "[Market1501, Market1501]"], "two datasets are called Market1501 twin"),
]


@pytest.mark.parametrize("opts, message", WRONG)
def test_what_cannot_be_tested_is_found_out_before_the_training(write_config, opts, message):
    with pytest.raises(ConfigError, match=message):
        Pipeline(load_config(write_config(), opts=opts)).train()


@pytest.mark.parametrize("opts, message", WRONG)
def test_what_cannot_be_tested_is_a_mistake_in_the_configuration(write_config, opts, message):
    with pytest.raises(ConfigError, match=message):
        evaluate_targets(load_config(write_config(), opts=opts), Colours(), torch.device("cpu"))


def test_a_stage_that_tests_nothing_may_ask_for_anything(write_config):
    opts = ["TEST.ROC.ENABLED", "true", "TEST.PROTOCOL", "cuhk03", "SOLVER.MAX_EPOCHS", 1, "HOOKS.evaluate", "null"]
    assert Pipeline(load_config(write_config(), opts=opts)).train() == {}  # trained, and without results


def test_what_hooks_have_measured_is_no_target():
    """A model file's figures are compared with those of the datasets that it is tested on."""
    results = {"validation": {"mAP": 0.5, "kept_epoch": 3}, "probe": {"accuracy": 0.5}, "Market1501 twin": {"mAP": 0.4}}
    assert target_figures(results) == {"Market1501 twin": {"mAP": 0.4}}
