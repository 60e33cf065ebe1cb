"""Pairs of images: all that the protocol counts, and no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.pairs import Pairs, sample_pairs
from reidzoo.evaluation.protocols import PROTOCOLS, Labels
from reidzoo.neighbours.feature_table import FeatureTable

QUERY = {"pids": [1, 1, 2, 3, -1], "camids": [0, 1, 0, 0, 0]}
GALLERY = {"pids": [1, 1, 2, 2, 0, -1, 4], "camids": [0, 2, 0, 1, 1, 0, 0]}  # a distractor, junk, a stranger


def tables(seed=0):
    rng = torch.manual_seed(seed)
    features = [torch.randn(len(side["pids"]), 6, generator=rng) for side in (QUERY, GALLERY)]
    return features, [FeatureTable(part, name) for part, name in zip(features, ("query", "gallery"))]


def rules(name):
    sides = (QUERY, GALLERY)
    return PROTOCOLS[name](Labels(*(np.array(side[key]) for key in ("pids", "camids") for side in sides)))


def enumerated(name, features):
    """Every pair that counts, one by one: (cosine, same, pid, pid)."""
    for i, (pid, cam) in enumerate(zip(QUERY["pids"], QUERY["camids"])):
        for j, (other, camera) in enumerate(zip(GALLERY["pids"], GALLERY["camids"])):
            left_out = {
                "camera_free": False,
                "cross_camera": cam == camera,
                "market1501": cam == camera and pid == other,
            }
            if -1 not in (pid, other) and not left_out[name]:
                cosine = torch.nn.functional.cosine_similarity(features[0][i].double(), features[1][j].double(), dim=0)
                yield float(cosine), pid == other, pid, other


@pytest.mark.parametrize("name", ["camera_free", "cross_camera", "market1501"])
def test_a_small_set_is_taken_whole(name):
    features, sides = tables()
    pairs = sample_pairs(*sides, rules(name), most_different=5 * 7)
    names = np.unique([*QUERY["pids"], *GALLERY["pids"]])
    found = sorted(zip(pairs.similarity.tolist(), pairs.same.tolist(), names[pairs.first], names[pairs.second]))
    expected = sorted(enumerated(name, features))
    assert len(found) == len(expected) > 5
    for one, other in zip(found, expected):
        assert one[1:] == other[1:] and one[0] == pytest.approx(other[0], abs=1e-6)


def test_a_large_set_is_sampled_without_repeats_and_evenly():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 5)
    table = FeatureTable(torch.from_numpy(rng.normal(size=(200, 4))).float(), "images")
    labels = Labels(people, people, query_in_gallery=np.arange(200))
    pairs = sample_pairs(table, table, PROTOCOLS["camera_free"](labels), most_same=100, most_different=8000)
    assert pairs.same.sum() == 100 and 6000 < (~pairs.same).sum() < 8000
    assert (pairs.similarity < 1 - 1e-4).all()  # no image with itself
    assert len(np.unique(pairs.similarity)) > 0.45 * len(pairs)  # each pair once, in either order at most
    counts = np.bincount(pairs.first[~pairs.same], minlength=40)
    assert counts.min() > 100 and counts.max() < 260
    again = sample_pairs(table, table, PROTOCOLS["camera_free"](labels), most_same=100, most_different=8000)
    assert np.array_equal(pairs.similarity, again.similarity)


def test_halves_share_no_identity():
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(10), 4)
    table = FeatureTable(torch.from_numpy(rng.normal(size=(40, 4))).float(), "images")
    pairs = sample_pairs(table, table, PROTOCOLS["camera_free"](Labels(people, people, query_in_gallery=np.arange(40))))
    one, two = pairs.halves()
    sides = [set(half.first) | set(half.second) for half in (one, two)]
    assert not sides[0] & sides[1] and len(sides[0]) == len(sides[1]) == 5
    assert one.same.sum() == two.same.sum() == 5 * 4 * 3


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"same": np.array([1, 0])}, "same is int64; make it bool"),
        ({"first": np.arange(3)}, r"'first': \(3,\).*one number \(N,\) for every pair"),
        ({"similarity": np.array([0.5, np.nan], np.float32)}, "similarity holds NaN"),
        ({"similarity": np.array([0.5, np.inf], np.float32)}, "similarity holds NaN or infinity"),
    ],
)
def test_arrays_that_are_no_pairs(changes, message):
    arrays = {"similarity": np.zeros(2, np.float32), "same": np.array([True, False])}
    arrays |= {"first": np.arange(2), "second": np.arange(2)}
    assert len(Pairs(**arrays)) == 2
    with pytest.raises(EvaluationInputError, match=message):
        Pairs(**{**arrays, **changes})
