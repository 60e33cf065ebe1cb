"""The expected calibration error, bin by bin."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation import Calibration
from reidzoo.evaluation.calibration_error import measure_calibration, reliability_diagram
from reidzoo.evaluation.pairs import Pairs


def test_bin_by_bin():
    rng = np.random.default_rng(0)
    probability, weights = rng.random(500), rng.random(500)
    probability[:2] = 0.0, 1.0
    same = rng.random(500) < probability**2
    same |= probability > 6 / 7
    same[1] = False  # in the last bin too, where it balances what came more often than was said
    points = reliability_diagram(probability, same, weights, bins=7)
    error = 0.0
    for number in range(7):
        inside = [
            i for i, p in enumerate(probability) if number / 7 <= p < (number + 1) / 7 or (number == 6 and p == 1)
        ]
        mass = sum(weights[i] for i in inside)
        said = sum(weights[i] * probability[i] for i in inside) / mass
        came = sum(weights[i] * same[i] for i in inside) / mass
        error += mass / weights.sum() * abs(said - came)
    assert points.error == pytest.approx(error) and points.share.sum() == pytest.approx(1)


CURVE = Calibration(0.5, 0.01, (0.4, 0.6), 0.5, "logistic", 0.0, 0.0, (0.0, 1.0), (0.1, 0.9))


def test_pairs_are_weighted_so_that_the_prior_holds():
    same = np.arange(100) < 10
    pairs = Pairs(np.linspace(1, 0, 100, dtype=np.float32), same, np.arange(100) % 5, np.arange(100) % 5 + 5 * ~same)
    error = measure_calibration(CURVE, pairs)
    assert error.ece == pytest.approx(0, abs=1e-9) and error.brier == pytest.approx(0.25)  # says a half, and is right
    assert error.true_accept_rate == 1 and error.false_accept_rate == pytest.approx(40 / 90)
    parts = measure_calibration(CURVE, (CURVE, pairs.take(np.arange(50))), (CURVE, pairs.take(np.arange(50, 100))))
    assert parts.to_dict() == error.to_dict()
    with pytest.raises(EvaluationInputError, match="of one identity and of two"):
        measure_calibration(CURVE, pairs.take(same))


def test_the_prior_weighs_the_pairs_and_every_part_has_its_curves_own_threshold():
    same = np.arange(100) < 10
    pairs = Pairs(np.where(same, 0.5, 0.4).astype(np.float32), same, np.arange(100) % 5, np.arange(100) % 5 + 5 * ~same)
    curve = replace(CURVE, prior=0.3, intercept=math.log(0.3 / 0.7))  # says 0.3 of every pair
    error = measure_calibration(curve, pairs)
    assert error.ece == pytest.approx(0, abs=1e-9) and error.brier == pytest.approx(0.3 * 0.49 + 0.7 * 0.09)
    assert (error.true_accept_rate, error.false_accept_rate) == (1, 0)  # 0.5 itself is accepted
    other = replace(curve, threshold=0.25)
    found = measure_calibration(curve, (other, pairs.take(np.arange(55))), (curve, pairs.take(np.arange(55, 100))))
    assert found.false_accept_rate == pytest.approx(45 / 90) and found.true_accept_rate == 1
    edge = measure_calibration(replace(curve, threshold=float(np.float32(0.4))), pairs)
    assert edge.false_accept_rate == 1  # as of two identities
