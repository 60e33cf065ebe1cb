"""Thresholds, their intervals and the curves, on pairs whose probabilities are known."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest

from reidzoo.errors import EvaluationInputError, UserError
from reidzoo.evaluation.calibration_error import measure_calibration
from reidzoo.evaluation.fit_calibration import false_accepts, fit_calibration, threshold_at
from reidzoo.evaluation.pairs import Pairs

MEANS, SIGMA = (0.3, 0.6), 0.1  # of the similarities of two people, and of one


def gaussian(same=4000, different=40_000, people=60, seed=0):
    rng = np.random.default_rng(seed)
    kinds = np.arange(same + different) < same
    first = rng.integers(people, size=len(kinds))
    second = np.where(kinds, first, (first + rng.integers(1, people, size=len(kinds))) % people)
    similarity = rng.normal(np.where(kinds, MEANS[1], MEANS[0]), SIGMA)
    return Pairs(similarity.astype(np.float32), kinds, first, second)


def truth(similarity, prior):
    """The probability of one identity, by Bayes' rule from the two densities."""
    odds = (MEANS[1] - MEANS[0]) / SIGMA**2 * (similarity - sum(MEANS) / 2) + math.log(prior / (1 - prior))
    return 1 / (1 + np.exp(-odds))


def test_both_curves_find_the_probability_that_the_pairs_were_drawn_by():
    calibration = fit_calibration(gaussian(), 0.01, prior=0.3, draws=20)
    assert calibration.method == "isotonic"
    asked = np.linspace(0.3, 0.6, 13)
    for method, room in (("logistic", 0.03), ("isotonic", 0.12)):
        for prior in (0.3, 0.02):
            found = calibration.probability(asked, prior, method)
            assert np.abs(found - truth(asked, prior)).max() < room
            assert (np.diff(found) >= 0).all()
    error = measure_calibration(calibration, gaussian(seed=1))
    assert error.ece < 0.02 and error.true_accept_rate > 0.5
    assert error.false_accept_interval[0] < error.false_accept_rate < error.false_accept_interval[1]


def test_few_pairs_take_the_logistic_curve_and_a_perfect_division_has_a_finite_slope():
    kinds = np.arange(120) < 20
    pairs = Pairs(np.where(kinds, 0.9, 0.1).astype(np.float32), kinds, *np.arange(240).reshape(2, 120) % 7)
    calibration = fit_calibration(pairs, 0.1, draws=10)
    assert calibration.method == "logistic" and 0 < calibration.slope < 1000
    for method in ("logistic", "isotonic"):
        low, high = calibration.probability([0.1, 0.9], method=method)
        # Platt's targets with 20 pairs of one identity and 100 of two, and what either curve is held to.
        expected = (1 / 102, 21 / 22) if method == "logistic" else (1 / 22, 101 / 102)
        assert (low, high) == pytest.approx(expected, rel=0.01)
    assert len(fit_calibration(gaussian(), 0.01, draws=2).knots) <= 256


@pytest.mark.parametrize("similarity", ["distinct", "tied"])
def test_the_threshold_accepts_as_many_as_it_may(similarity):
    pairs = gaussian(100, 2000)
    values = pairs.similarity if similarity == "distinct" else np.round(pairs.similarity, 1).astype(np.float32)
    pairs = Pairs(values, pairs.same, pairs.first, pairs.second)
    others = values[~pairs.same]
    for far in (0.005, 0.1, 0.29):
        threshold = threshold_at(pairs, far)
        accepted = (others >= threshold).sum()
        assert accepted <= far * 2000
        lower = others[others < threshold].max()
        assert (others >= lower).sum() > far * 2000  # the next lower threshold accepts too many


def test_the_interval_is_that_of_identities_drawn_with_replacement():
    pairs = gaussian(60, 600, people=8)
    rate, low, high = false_accepts(pairs, 0.45, draws=40, seed=3)
    rng, rates = np.random.default_rng(3), []
    for _ in range(40):
        drawn = rng.choice(np.arange(8), 8).tolist()
        accepted = total = 0
        for s, same, a, b in zip(pairs.similarity, pairs.same, pairs.first, pairs.second):
            times = 0 if same else drawn.count(a) * drawn.count(b)
            total += times
            accepted += times * (float(s) >= 0.45)
        rates.append(accepted / total)
    assert rate == pytest.approx((pairs.similarity[~pairs.same] >= 0.45).mean())
    assert (low, high) == pytest.approx(tuple(np.percentile(rates, (2.5, 97.5))))
    calibration = fit_calibration(gaussian(), 0.01, draws=50)
    assert calibration.interval[0] < calibration.threshold < calibration.interval[1]


def test_the_interval_of_the_threshold_reaches_draws_without_the_two_who_look_alike():
    first, second = np.repeat(np.triu_indices(8, 1), [1260] + [60] * 27, axis=1)
    alike = (first == 0) & (second == 1)
    values = np.random.default_rng(0).normal(np.where(alike, 0.8, 0.2), 0.05).astype(np.float32)
    different = Pairs(values, np.zeros(len(values), bool), first, second)
    own = Pairs(np.array([0.9, 0.95], np.float32), np.ones(2, bool), np.array([0, 1]), np.array([0, 1]))
    pairs = Pairs(*(np.concatenate([getattr(part, name) for part in (own, different)]) for name in vars(own)))
    rng, thresholds = np.random.default_rng(3), []
    for _ in range(40):
        drawn = rng.choice(np.arange(8), 8).tolist()
        counted = [(s, drawn.count(a) * drawn.count(b)) for s, a, b in zip(values.tolist(), first, second)]
        allowed = 0.01 * sum(times for _, times in counted)
        for similarity, times in sorted(counted, reverse=True):
            allowed -= times
            if allowed < 0:
                thresholds.append(similarity)
                break
    interval = fit_calibration(pairs, 0.01, draws=40, seed=3).interval
    assert interval == pytest.approx(tuple(np.percentile(thresholds, (2.5, 97.5))))
    assert interval[0] < 0.5 < interval[1]


def test_what_cannot_be_fitted():
    pairs = gaussian(50, 500)
    with pytest.raises(EvaluationInputError, match=r"500 pairs of two identities a false-accept rate of 0\.02 or more"):
        fit_calibration(pairs, 0.001)
    for kind in (pairs.same, ~pairs.same):
        with pytest.raises(EvaluationInputError, match="pairs of one identity and of two"):
            fit_calibration(pairs.take(kind), 0.1)
    for wrong in ({"prior": 1.0}, {"prior": "0.5"}, {"method": "mean"}, {"draws": 2.5}, {"seed": -1}, {"far": None}):
        with pytest.raises(EvaluationInputError, match=next(iter(wrong))):
            fit_calibration(pairs, **{"far": 0.1, **wrong})


def test_numbers_of_numpy_are_as_good_and_can_be_written_as_json():
    pairs = gaussian(50, 500)
    found = fit_calibration(pairs, np.float32(0.1), prior=np.float32(0.5), draws=np.int64(3), seed=np.int32(0))
    assert json.loads(json.dumps(found.to_dict()))["prior"] == 0.5
    assert found == fit_calibration(pairs, float(np.float32(0.1)), draws=3)


def test_no_draw_is_refused():
    pairs = gaussian(50, 500)
    with pytest.raises(EvaluationInputError, match="draws=0"):
        fit_calibration(pairs, 0.1, draws=0)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(UserError, match=r"reidzoo\[calibrate\]"):
        fit_calibration(gaussian(50, 500), 0.1, draws=1)
