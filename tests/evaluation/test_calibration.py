"""What a similarity means: the curves, Bayes' rule, and what a stranger's file may hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from reidzoo.errors import EvaluationInputError, WeightsError
from reidzoo.evaluation import Calibration

ISOTONIC = Calibration(
    threshold=0.6, far=1e-3, interval=(0.55, 0.66), prior=0.5, method="isotonic", slope=10.0, intercept=-5.0,
    knots=(0.2, 0.4, 0.8), values=(0.01, 0.25, 0.9), facts={"data": "Market1501 twin"},
)  # fmt: skip


def test_the_isotonic_curve_is_straight_between_its_knots_and_flat_beyond():
    found = ISOTONIC.probability([-1.0, 0.2, 0.3, 0.5, 0.8, 1.0])
    assert found == pytest.approx([0.01, 0.01, 0.13, 0.25 + 0.65 / 4, 0.9, 0.9])


def test_the_logistic_curve():
    expected = [1 / (1 + math.exp(-(10 * s - 5))) for s in (-0.3, 0.5, 0.9)]
    assert ISOTONIC.probability([-0.3, 0.5, 0.9], method="logistic") == pytest.approx(expected)
    assert replace(ISOTONIC, method="logistic").probability(0.9) == pytest.approx(expected[2])


@pytest.mark.parametrize("prior", [0.5, 0.01, 0.9])
def test_another_share_of_pairs_enters_by_bayes_rule(prior):
    base = replace(ISOTONIC, prior=0.3)
    p = base.probability(0.5)
    same, different = p / 0.3, (1 - p) / 0.7  # likelihoods, up to one factor
    expected = same * prior / (same * prior + different * (1 - prior))
    assert base.probability(0.5, prior) == pytest.approx(expected)
    assert base.probability(0.5, 0.3) == pytest.approx(p)


def test_the_threshold_itself_is_accepted_and_shapes_are_kept():
    given = torch.tensor([[0.59, 0.6], [0.61, -1.0]], dtype=torch.float64)
    assert ISOTONIC.accepts(given).tolist() == [[False, True], [True, False]]
    assert ISOTONIC.probability(given).shape == (2, 2) and ISOTONIC.probability(0.5).shape == ()


def test_it_survives_json():
    node = json.loads(json.dumps(ISOTONIC.to_dict()))
    assert Calibration.from_dict(node, "x.safetensors") == ISOTONIC


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format": 2}, "format 2"),
        ({"code": "print()"}, "code"),
        ({"threshold": math.nan}, "finite"),
        ({"threshold": "0.5"}, "finite"),
        ({"threshold": True}, "finite"),
        ({"threshold": 10**400}, "finite"),
        ({"knots": [0.1, 0.2, 10**400]}, "finite"),
        ({"slope": -1.0}, "slope"),
        ({"prior": 1.0}, "prior"),
        ({"far": 0.0}, "far"),
        ({"method": "oracle"}, "method"),
        ({"knots": "abc"}, "list of numbers"),
        ({"knots": [0.1, 0.1, 0.2]}, "rising"),
        ({"values": [0.5, 0.4, 0.6]}, "rising"),
        ({"values": [0.0, 0.4, 0.6]}, "rising"),
        ({"values": [0.1, 0.4, 1.0]}, "rising"),
        ({"knots": [0.0] * 5000, "values": [0.5] * 5000}, "4096"),
        ({"facts": []}, "facts"),
        ({"interval": [0.5]}, "interval"),
    ],
)
def test_a_file_may_hold_nothing_else(change, message):
    with pytest.raises(WeightsError, match=f"x.safetensors.*{message}"):
        Calibration.from_dict({**ISOTONIC.to_dict(), **change}, "x.safetensors")


def test_what_is_no_calibration_at_all_and_wrong_questions():
    with pytest.raises(WeightsError, match="is not a mapping"):
        Calibration.from_dict([1], "x")
    with pytest.raises(WeightsError, match="format None"):
        Calibration.from_dict({key: value for key, value in ISOTONIC.to_dict().items() if key != "format"}, "x")
    for wrong in (
        {"prior": 0.0},
        {"prior": 1.0},
        {"prior": "0.5"},
        {"prior": np.array([0.1, 0.2])},
        {"method": "mean"},
    ):
        with pytest.raises(EvaluationInputError, match=next(iter(wrong))):
            ISOTONIC.probability(np.zeros(2), **wrong)
    for similarity in (None, "0.5", [0.5, [0.5]], [1j]):
        with pytest.raises(EvaluationInputError, match="similarity"):
            ISOTONIC.accepts(similarity)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_similarities_may_be_a_tensor_that_training_made(dtype):
    similarity = torch.tensor([0.125, 0.5], dtype=dtype, requires_grad=True)
    assert ISOTONIC.probability(similarity).tolist() == ISOTONIC.probability([0.125, 0.5]).tolist()
    assert ISOTONIC.accepts(similarity).tolist() == ISOTONIC.accepts([0.125, 0.5]).tolist()


def test_a_calibration_made_by_hand_may_hold_numpys_numbers():
    numbers = {key: np.float32(getattr(ISOTONIC, key)) for key in ("threshold", "far", "prior", "slope", "intercept")}
    lists = {key: np.array(getattr(ISOTONIC, key)) for key in ("interval", "knots", "values")}
    made = replace(ISOTONIC, **numbers, **lists)
    assert made.knots == ISOTONIC.knots and made.threshold == pytest.approx(ISOTONIC.threshold)
    assert Calibration.from_dict(json.loads(json.dumps(made.to_dict())), "x") == made


@pytest.mark.parametrize(
    "change, message",
    [
        ({"threshold": "0.5"}, "has a finite number as its threshold, not '0.5'"),
        ({"far": np.float32("nan")}, "has a finite number as its far, not nan"),
        ({"interval": 0.5}, "has a list of finite numbers as its interval, not 0.5"),
        ({"values": np.array([0.1, np.inf, 0.9])}, "has a list of finite numbers as its values"),
    ],
)
def test_the_field_that_is_no_number_is_named(change, message):
    with pytest.raises(EvaluationInputError, match=f"a calibration {message}"):
        replace(ISOTONIC, **change)
