"""What a calibrated model says of a similarity."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reidzoo.errors import UserError
from reidzoo.evaluation import Calibration
from reidzoo.inference.decision import Decision

CALIBRATION = Calibration(0.9, 0.001, (0.8, 1.0), 0.5, "logistic", 8.0, -4.0, (0.0, 1.0), (0.1, 0.9))
MODEL = SimpleNamespace(calibration=CALIBRATION)


def test_the_threshold_is_of_a_rate_and_the_probability_of_a_prior():
    decision = Decision.of(MODEL)
    assert (decision.side(0.9), decision.side(0.89)) == ("above", "below")
    assert decision.threshold_words == "the threshold of 0.1 % false accepts"
    assert decision.prior_words == "a prior of 50 %"
    assert decision.probability(0.8) == float(CALIBRATION.probability(0.8)) > 0.9  # and yet below the threshold
    rare = Decision.of(MODEL, 0.01)
    assert rare.prior_words == "a prior of 1 %" and rare.side(0.8) == "below"
    assert rare.probability(0.8) == float(CALIBRATION.probability(0.8, 0.01)) < 0.2


@pytest.mark.parametrize("prior", [0.0, 1.0, 50])
def test_a_prior_is_a_share(prior):
    with pytest.raises(UserError, match=r"prior \(--prior\) is a share between 0 and 1"):
        Decision.of(MODEL, prior)


def test_a_model_without_a_calibration_has_none():
    model = SimpleNamespace(calibration=None)
    assert Decision.of(model) is None
    with pytest.raises(UserError, match="takes a model that reidzoo calibrate has written"):
        Decision.of(model, 0.5)
