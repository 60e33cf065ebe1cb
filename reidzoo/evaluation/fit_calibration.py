"""Fits a threshold and the curves of a calibration to pairs of images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from reidzoo.checks import number
from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.calibration import METHODS, PRIOR, Calibration
from reidzoo.evaluation.pairs import Pairs
from reidzoo.evaluation.roc import allowed_accepts
from reidzoo.evenly_spaced import evenly_spaced
from reidzoo.needs import need
from reidzoo.neighbours.checks import check_choice, check_count, check_seed

__all__ = ["AUTO", "ENOUGH", "false_accepts", "fit_calibration", "threshold_at"]

AUTO = "auto"
ENOUGH = 1000
"""Pairs of one identity from which on the isotonic curve is taken: below, it fits their accidents (Niculescu-Mizil and
Caruana, "Predicting good probabilities with supervised learning", ICML 2005)."""
LEAST_FALSE = 10
"""False accepts that a threshold has to rest on."""
KNOTS = 256
DRAWS = 500


def fit_calibration(
    pairs: Pairs,
    far: float = 1e-3,
    *,
    prior: float = 0.5,
    method: str = AUTO,
    draws: int = DRAWS,
    seed: int = 0,
    facts: Mapping[str, Any] | None = None,
) -> Calibration:
    """Fit a calibration; the two kinds of pairs are weighted as if ``prior`` of all were of one identity.

    Args:
        pairs: of both kinds, of identities that the model was not trained on.
        far: the wanted false-accept rate.
        prior: the share of pairs of one identity among those that will be asked about, in (0, 1).
        method: the curve that counts, ``isotonic`` or ``logistic``; ``auto`` takes isotonic from 1,000 pairs of one
            identity on. Both are fitted.
        draws: of the bootstrap.
        seed: of the bootstrap.
        facts: for ``Calibration.facts``.

    Raises:
        EvaluationInputError: a kind of pairs is missing, the rate is too low for this number of pairs, an argument is
            out of its range, or no draw has pairs of two identities.
        UserError: scikit-learn is not installed.
    """
    num_same = int(pairs.same.sum())
    if not 0 < num_same < len(pairs):
        raise EvaluationInputError(
            f"a calibration needs pairs of one identity and of two, and there are {num_same:,} and "
            f"{len(pairs) - num_same:,}."
        )
    check_choice(method, "method", (AUTO, *METHODS))
    if not PRIOR.accepts(prior):
        raise EvaluationInputError(f"prior={prior!r}: the share of pairs of one identity lies between 0 and 1.")
    check_count(draws, "draws")
    threshold = threshold_at(pairs, far)
    far, prior, seed = float(far), float(prior), check_seed(seed)
    slope, intercept = _logistic(pairs, prior)
    knots, values = _isotonic(pairs, prior)
    return Calibration(
        threshold=threshold,
        far=far,
        interval=_threshold_interval(pairs, far, draws, seed),
        prior=prior,
        method=("isotonic" if num_same >= ENOUGH else "logistic") if method == AUTO else method,
        slope=slope,
        intercept=intercept,
        knots=knots,
        values=values,
        facts=dict(facts or {}),
    )


def threshold_at(pairs: Pairs, far: float) -> float:
    """Return a similarity that at most the share ``far`` of the pairs of two identities reaches, as many as can.

    It lies half-way between the last that is accepted and the first that is not, so that rounding moves no pair, and is
    a float32, as similarities are: to compare them in either precision gives one verdict.

    Raises:
        EvaluationInputError: fewer than ten pairs would be accepted, so that the threshold would be an accident.
    """
    if not number(-math.inf, math.inf).accepts(far):
        raise EvaluationInputError(f"far={far!r}: a false-accept rate is a number between 0 and 1, such as 0.001.")
    refused = np.sort(pairs.similarity[~pairs.same])[::-1]
    allowed = allowed_accepts(far, len(refused))
    if not 0 < far < 1 or allowed < LEAST_FALSE:
        least = LEAST_FALSE / max(len(refused), 1)
        raise EvaluationInputError(
            f"far={far!r}: with {len(refused):,} pairs of two identities a false-accept rate of {least:.2g} or more "
            f"can be measured, at which {LEAST_FALSE} are accepted; ask for that, or bring more images."
        )
    first_refused = refused[min(allowed, len(refused) - 1)]
    least = np.nextafter(np.float32(first_refused), np.float32(np.inf))
    accepted = refused[refused > first_refused]
    return float(max(least, (accepted[-1] + first_refused) / 2) if len(accepted) else least)


def false_accepts(pairs: Pairs, threshold: float, draws: int = DRAWS, seed: int = 0) -> tuple[float, float, float]:
    """Return the false-accept rate at a threshold, and its 95 % bootstrap interval over identities.

    Identities are drawn with replacement, and a pair counts as often as both of its identities together: the product
    (the subsets bootstrap of Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems", CVIU 2004).
    """
    different = pairs.take(~pairs.same)
    accepted = different.similarity.astype(np.float64) >= threshold
    chosen = different.take(accepted)
    rates = []
    for weight in _drawn_identities(pairs, draws, seed):
        total = weight[different.first] @ weight[different.second]
        rates.append((weight[chosen.first] @ weight[chosen.second]) / total if total else 0.0)
    low, high = np.percentile(rates, (2.5, 97.5))
    return float(accepted.mean()), float(low), float(high)


def _drawn_identities(pairs: Pairs, draws: int, seed: int) -> Any:
    """Yield how often each identity is drawn, float64 (identities,), draw by draw."""
    rng = np.random.default_rng(seed)
    present = np.unique(np.concatenate([pairs.first, pairs.second]))
    for _ in range(draws):
        drawn = rng.choice(present, len(present))
        yield np.bincount(drawn, minlength=pairs.num_identities).astype(np.float64)


def _threshold_interval(pairs: Pairs, far: float, draws: int, seed: int) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the threshold over identities, as ``false_accepts`` draws them."""
    different = pairs.take(~pairs.same)
    different = different.take(np.argsort(-different.similarity, kind="stable"))
    found = []
    for weight in _drawn_identities(pairs, draws, seed):
        reached = np.cumsum(weight[different.first] * weight[different.second])
        if reached[-1]:
            found.append(different.similarity[np.searchsorted(reached, far * reached[-1], side="right")])
    if not found:
        raise EvaluationInputError(f"draws={draws}: no bootstrap draw has two identities with a pair; take more.")
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def _weights(pairs: Pairs, prior: float) -> np.ndarray:
    """Return float64 (N,), the pairs' weights: ``prior`` of their mean of 1 is with the pairs of one identity."""
    num_same = pairs.same.sum()
    shares = np.array([(1 - prior) / (len(pairs) - num_same), prior / num_same]) * len(pairs)
    return shares[pairs.same.astype(np.int64)]


def _logistic(pairs: Pairs, prior: float) -> tuple[float, float]:
    """Return slope and intercept of Platt's curve ("Probabilistic outputs for support vector machines", 1999).

    A pair of one identity counts as one to the share (S + 1) / (S + 2), one of two to 1 / (D + 2), where there are S
    and D, so that pairs which a threshold divides perfectly do not have an infinite slope.
    """
    linear_model = need("sklearn.linear_model", "calibrate")
    num_same = int(pairs.same.sum())
    target = np.where(pairs.same, (num_same + 1) / (num_same + 2), 1 / (len(pairs) - num_same + 2))
    weights = _weights(pairs, prior)
    similarity = pairs.similarity.astype(np.float64)
    centre, scale = similarity.mean(), max(float(similarity.std()), 1e-12)
    column = np.concatenate([similarity, similarity])[:, None]
    fit = linear_model.LogisticRegression(C=1e6, max_iter=1000).fit(
        (column - centre) / scale,
        np.repeat([1, 0], len(pairs)),
        sample_weight=np.concatenate([weights * target, weights * (1 - target)]),
    )
    slope = max(float(fit.coef_[0, 0]) / scale, 0.0)
    return slope, float(fit.intercept_[0]) - slope * centre


def _isotonic(pairs: Pairs, prior: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the knots and the values of the rising curve nearest to the pairs (Zadrozny and Elkan, KDD 2002).

    Where all pairs of a stretch agree, the curve would say 0 or 1; it is held to 1 / (S + 2) and 1 - 1 / (D + 2), with
    S pairs of one identity and D of two: so much a further pair could still be otherwise.
    """
    isotonic = need("sklearn.isotonic", "calibrate")
    num_same = int(pairs.same.sum())
    fit = isotonic.IsotonicRegression().fit(
        pairs.similarity.astype(np.float64), pairs.same.astype(np.float64), sample_weight=_weights(pairs, prior)
    )
    kept = evenly_spaced(len(fit.X_thresholds_), KNOTS)
    knots, values = fit.X_thresholds_[kept], fit.y_thresholds_[kept]
    if len(knots) == 1:  # all similarities are one
        knots, values = np.array([knots[0], knots[0] + 1e-6]), values[[0, 0]]
    low, high = min(1 / (num_same + 2), 0.5), max(1 - 1 / (len(pairs) - num_same + 2), 0.5)
    values = np.maximum.accumulate(np.clip(values, low, high))
    return tuple(knots.tolist()), tuple(values.tolist())
