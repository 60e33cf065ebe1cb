from __future__ import annotations

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from reidzoo.clustering import Reliability, independence_threshold, reliability, self_paced_filter

DENSE = run_path(str(Path(__file__).with_name("dense_reference.py")))


def nested(n, seed):
    """Labels at three radii: clusters that merge as the radius grows, and outliers that join them."""
    generator = np.random.default_rng(seed)
    tight = generator.integers(-1, n // 5, size=n)
    merge = np.append(generator.integers(0, n // 6, size=n // 5), -1)
    labels = merge[tight]
    labels = np.where((labels < 0) & (generator.random(n) < 0.3), generator.integers(0, n // 6, size=n), labels)
    again = np.append(generator.integers(0, n // 7 + 1, size=n // 6 + 1), -1)
    loose = np.where(generator.random(n) < 0.05, generator.integers(0, n // 7 + 1, size=n), again[labels])
    return labels, tight, loose


@pytest.mark.parametrize("n", [20, 100, 400])
def test_equals_the_label_matrices(n):
    for seed in range(10):
        labels, tight, loose = nested(n, seed)
        expected, threshold, independence, compactness = DENSE["self_paced"](labels, tight, loose)
        scores = reliability(labels, tight, loose)
        np.testing.assert_allclose(scores.independence, independence, atol=1e-15)
        np.testing.assert_allclose(scores.compactness, compactness, atol=1e-15)
        assert independence_threshold(labels, scores.independence) == pytest.approx(threshold, abs=1e-15)
        np.testing.assert_array_equal(self_paced_filter(labels, scores, threshold), expected)
        for given in (0.0, 0.4, 1.0):
            expected = DENSE["self_paced"](labels, tight, loose, given)[0]
            np.testing.assert_array_equal(self_paced_filter(labels, scores, given), expected)


def test_three_equal_labellings_are_wholly_reliable():
    labels = np.array([0, 0, 1, -1, 1, 1])
    scores = reliability(labels, labels, labels)
    assert (scores.independence == 0).all() and (scores.compactness == 0).all()
    assert independence_threshold(labels, scores.independence) == 0
    assert self_paced_filter(labels, scores, 0.0).tolist() == labels.tolist()


def test_a_cluster_that_swallows_others_when_loose_is_not_independent():
    labels = np.array([0, 0, 1, 1, 2, 2])
    loose = np.array([0, 0, 0, 0, 1, 1])
    scores = reliability(labels, labels, loose)
    assert scores.independence.tolist() == [0.5, 0.5, 0.5, 0.5, 0, 0]
    assert self_paced_filter(labels, scores, 0.4).tolist() == [-1, -1, -1, -1, 0, 0]


def test_the_loose_rim_of_a_cluster_is_not_compact():
    labels = np.array([0, 0, 0, 0])
    tight = np.array([0, 0, 0, -1])
    scores = reliability(labels, tight, labels)
    assert scores.compactness.tolist() == [0.25, 0.25, 0.25, 0.75]
    assert self_paced_filter(labels, scores, 1.0).tolist() == [0, 0, 0, -1]


def test_the_threshold_is_the_value_at_nine_tenths_and_skips_single_images():
    labels = np.concatenate([np.repeat(np.arange(20), 2), [20, -1]])
    independence = np.concatenate([np.repeat(np.arange(20) / 20, 2), [0.99, 0.99]])
    assert independence_threshold(labels, independence) == 18 / 20
    assert independence_threshold(labels[:2], independence[:2]) == 0
    assert independence_threshold(np.array([-1, -1]), np.zeros(2)) is None
    assert independence_threshold(np.array([0, 1]), np.zeros(2)) is None


def test_all_outliers_and_no_images():
    outliers = np.full(4, -1)
    scores = reliability(outliers, outliers, outliers)
    assert (scores.independence == 0).all()
    assert self_paced_filter(outliers, scores, 0.0).tolist() == [-1] * 4
    empty = np.zeros(0, dtype=int)
    assert len(reliability(empty, empty, empty).compactness) == 0


def test_mismatched_lengths_and_bad_labels():
    labels = np.array([0, 0, 1])
    with pytest.raises(ValueError, match="one length"):
        reliability(labels, labels[:2], labels)
    with pytest.raises(ValueError, match="expected 2 of each"):
        self_paced_filter(labels[:2], reliability(labels, labels, labels), 0.5)
    with pytest.raises(ValueError, match="expected 2 scores"):
        independence_threshold(labels[:2], np.zeros(3))
    broken = np.array([0.1, np.nan, 0.2])
    with pytest.raises(ValueError, match="scores without NaN"):
        independence_threshold(labels, broken)
    for quantile in (1.5, "0.9"):
        with pytest.raises(ValueError, match=r"a quantile in \[0, 1\]"):
            independence_threshold(labels, np.zeros(3), quantile)
    for scores, threshold in ((Reliability(broken, np.zeros(3)), 0.5), (Reliability(np.zeros(3), broken), 0.5),
                              (reliability(labels, labels, labels), np.nan),
                              (reliability(labels, labels, labels), None)):  # fmt: skip
        with pytest.raises(ValueError, match="without NaN"):
            self_paced_filter(labels, scores, threshold)
    with pytest.raises(ValueError, match="integers"):
        reliability(labels / 2, labels, labels)
    with pytest.raises(ValueError, match="-1 for an outlier"):
        reliability(labels - 2, labels, labels)
