"""Measures how well a calibration's probabilities and threshold hold on pairs of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.calibration import Calibration
from reidzoo.evaluation.fit_calibration import false_accepts
from reidzoo.evaluation.intervals import bootstrap_interval
from reidzoo.evaluation.pairs import Pairs

__all__ = ["BINS", "CalibrationError", "ReliabilityDiagram", "measure_calibration", "reliability_diagram"]

BINS = 15


@dataclass(frozen=True)
class ReliabilityDiagram:
    """Predicted probabilities and what came of them, in bins of equal width.

    Attributes:
        predicted: float64 (B,), the mean prediction of each bin that has pairs.
        observed: float64 (B,), the share of its pairs that are of one identity.
        share: float64 (B,), the bin's share of all pairs; they sum to 1.
    """

    predicted: np.ndarray
    observed: np.ndarray
    share: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: sum over bins of share |observed - predicted|.

        Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
        """
        return float(self.share @ np.abs(self.observed - self.predicted))


@dataclass(frozen=True)
class CalibrationError:
    """Measurements of a calibration on pairs, which are weighted so that its prior holds.

    Attributes:
        ece: the expected calibration error.
        brier: the mean squared difference of probability and truth.
        false_accept_rate: the share of pairs of two identities that reach the threshold.
        false_accept_interval: its 95 % bootstrap interval over identities.
        true_accept_rate: the share of pairs of one identity that reach it.
        true_accept_interval: its 95 % bootstrap interval over identities.
        num_same, num_different: how many pairs of either kind.
        reliability: the diagram's points.
    """

    ece: float
    brier: float
    false_accept_rate: float
    false_accept_interval: tuple[float, float]
    true_accept_rate: float
    true_accept_interval: tuple[float, float]
    num_same: int
    num_different: int
    reliability: ReliabilityDiagram

    def to_dict(self) -> dict[str, Any]:
        """Return the figures and the points as what JSON holds."""
        plain = {key: value for key, value in vars(self).items() if key != "reliability"}
        points = {key: value.tolist() for key, value in vars(self.reliability).items()}
        return {**plain, "reliability": points}


def reliability_diagram(
    probability: np.ndarray, same: np.ndarray, weights: np.ndarray, bins: int = BINS
) -> ReliabilityDiagram:
    """Return the reliability diagram of predictions.

    Args:
        probability: float64 (N,), in [0, 1].
        same: bool (N,), what came of it.
        weights: float64 (N,), of the pairs.
        bins: how many, of equal width.
    """
    number = np.minimum((probability * bins).astype(np.int64), bins - 1)
    share = np.bincount(number, weights, bins)
    used = share > 0
    predicted = np.bincount(number, weights * probability, bins)[used] / share[used]
    observed = np.bincount(number, weights * same, bins)[used] / share[used]
    return ReliabilityDiagram(predicted, observed, share[used] / share.sum())


def measure_calibration(calibration: Calibration, *parts: tuple[Calibration, Pairs] | Pairs) -> CalibrationError:
    """Return what a calibration is worth on pairs that it was not fitted to.

    Args:
        calibration: whose threshold and prior count.
        parts: pairs; or, where several curves take turns as in cross-validation, (the curve, its pairs).

    Raises:
        EvaluationInputError: there are no pairs of one identity, or none of two.
    """
    told = [part if isinstance(part, tuple) else (calibration, part) for part in parts]
    pairs = _joined([part for _, part in told])
    num_same = int(pairs.same.sum())
    if not 0 < num_same < len(pairs):
        raise EvaluationInputError(
            f"a calibration is measured on pairs of one identity and of two, and there are {num_same:,} and "
            f"{len(pairs) - num_same:,}."
        )
    probability = np.concatenate([curve.probability(part.similarity) for curve, part in told])
    margin = np.concatenate([part.similarity.astype(np.float64) - curve.threshold for curve, part in told])
    above = Pairs(margin, pairs.same, pairs.first, pairs.second)
    prior = calibration.prior
    weights = np.where(pairs.same, prior / num_same, (1 - prior) / (len(pairs) - num_same))
    points = reliability_diagram(probability, pairs.same, weights)
    accepted = (margin >= 0)[pairs.same].astype(np.float64)
    rate, low, high = false_accepts(above, 0.0)
    return CalibrationError(
        ece=points.error,
        brier=float(weights @ (probability - pairs.same) ** 2),
        false_accept_rate=rate,
        false_accept_interval=(low, high),
        true_accept_rate=float(accepted.mean()),
        true_accept_interval=bootstrap_interval(accepted, pairs.first[pairs.same]),
        num_same=num_same,
        num_different=len(pairs) - num_same,
        reliability=points,
    )


def _joined(parts: list[Pairs]) -> Pairs:
    columns = [[getattr(part, key) for part in parts] for key in ("similarity", "same", "first", "second")]
    return Pairs(*map(np.concatenate, columns))
