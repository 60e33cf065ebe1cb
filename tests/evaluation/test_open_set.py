"""DIR at FAR against a loop over queries."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.open_set import REPEATS, identify_open_set
from reidzoo.evaluation.protocols import PROTOCOLS, Labels
from reidzoo.neighbours.distances import FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable


def made(people=12, noise=0.8):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(people, 8))
    qp, gp = np.repeat(np.arange(people), 2), np.concatenate([np.repeat(np.arange(people), 3), [-1, 99]])
    qc, gc = np.tile([0, 1], people), np.concatenate([np.tile([0, 1, 2], people), [0, 0]])
    q = centres[qp] + noise * rng.normal(size=(len(qp), 8))
    g = np.concatenate([centres[gp[:-2]] + noise * rng.normal(size=(len(gp) - 2, 8)), rng.normal(size=(2, 8))])
    return q, g, Labels(qp, gp, qc, gc)


def slow(q, g, labels, rate, seed, cross_camera=False):
    rng = np.random.default_rng(seed)
    people = np.unique(labels.query_pids)
    cosine = (q / np.linalg.norm(q, axis=1, keepdims=True)) @ (g / np.linalg.norm(g, axis=1, keepdims=True)).T
    found = []
    for _ in range(REPEATS):
        unknown = set(rng.permutation(people)[: len(people) // 2].tolist())
        alarms, hits = [], []
        for i, pid in enumerate(labels.query_pids):
            ranked = [
                (cosine[i, j], other == pid)
                for j, other in enumerate(labels.gallery_pids)
                if other != -1 and other not in unknown
                and not ((cross_camera or other == pid) and labels.query_camids[i] == labels.gallery_camids[j])
            ]  # fmt: skip
            if pid not in unknown:
                hits.append(max(ranked))
            elif ranked:
                alarms.append(max(ranked)[0])
        first_refused = sorted(alarms)[::-1][int(rate * len(alarms))]
        found.append(np.mean([right and best > first_refused for best, right in hits]))
    return np.mean(found)


def test_against_a_loop():
    q, g, labels = made()
    source = FeatureDistances(FeatureTable(torch.from_numpy(q), "q"), FeatureTable(torch.from_numpy(g), "g"))
    found = identify_open_set(source, PROTOCOLS["market1501"](labels), (0.1, 0.5), seed=4)
    assert found.known == found.unknown == 12 and found.repeats == REPEATS
    for rate in (0.1, 0.5):
        assert found.rates[rate] == pytest.approx(slow(q, g, labels, rate, 4), abs=1e-9)
    assert 0 < found.rates[0.1] < found.rates[0.5] and found.thresholds[0.1] > found.thresholds[0.5]


def test_queries_of_unknown_people_without_an_image_left_do_not_count():
    """Each person's gallery image is by camera 0 or 1, and a query by that camera is compared with none of them."""
    rng = np.random.default_rng(1)
    q, g, people = rng.normal(size=(8, 8)), rng.normal(size=(4, 8)), np.arange(4)
    labels = Labels(np.repeat(people, 2), people, np.array([0, 2, 0, 2, 1, 2, 1, 2]), np.array([1, 1, 0, 0]))
    source = FeatureDistances(FeatureTable(torch.from_numpy(q), "q"), FeatureTable(torch.from_numpy(g), "g"))
    found = identify_open_set(source, PROTOCOLS["cross_camera"](labels), (0.5,))
    assert found.known == 4 and 2 <= found.unknown < 4 and np.isfinite(found.thresholds[0.5])
    assert found.rates[0.5] == pytest.approx(slow(q, g, labels, 0.5, 0, cross_camera=True), abs=1e-9)
    source = FeatureDistances(FeatureTable(q[:5:4], "q"), FeatureTable(g[:3:2], "g"))
    labels = Labels(np.arange(2), np.arange(2), np.array([0, 1]), np.array([1, 0]))
    with pytest.raises(EvaluationInputError, match="bring more identities or cameras"):
        identify_open_set(source, PROTOCOLS["cross_camera"](labels))


@pytest.mark.parametrize(
    ("features", "others", "expected"),
    [
        (np.eye(4), np.full(4, -1), 1.0),  # a copy of everybody that is junk: nobody's
        (np.eye(4)[[0, 0, 2, 2]], np.arange(4), 0.0),  # either known and like another, or no more so than the unknown
    ],
)
def test_ties_are_lost_but_with_junk(features, others, expected):
    labels = Labels(np.arange(4), np.concatenate([np.arange(4), others]))
    source = FeatureDistances(FeatureTable(features, "q"), FeatureTable(np.concatenate([features] * 2), "g"))
    assert identify_open_set(source, PROTOCOLS["camera_free"](labels), (0.5,)).rates == {0.5: expected}


def test_what_cannot_be_asked():
    q, g, labels = made(2)
    tables = FeatureTable(q, "q"), FeatureTable(g, "g")
    rules = PROTOCOLS["market1501"](labels)
    with pytest.raises(EvaluationInputError, match="false positive rates"):
        identify_open_set(FeatureDistances(*tables), rules, (2.0,))
    with pytest.raises(EvaluationInputError, match="expected a list of false positive rates"):
        identify_open_set(FeatureDistances(*tables), rules, 0.1)
    with pytest.raises(EvaluationInputError, match="cosines"):
        identify_open_set(FeatureDistances(*tables, "euclidean"), rules)
    lone = Labels(labels.query_pids * 0, labels.gallery_pids, labels.query_camids, labels.gallery_camids)
    with pytest.raises(EvaluationInputError, match="two identities"):
        identify_open_set(FeatureDistances(*tables), PROTOCOLS["market1501"](lone))
