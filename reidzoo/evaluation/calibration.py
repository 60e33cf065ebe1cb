"""The meaning of cosine similarities: a threshold at a false-accept rate, and the probability of one identity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.special import expit, logit

from reidzoo.checks import number, show
from reidzoo.errors import EvaluationInputError, WeightsError

__all__ = ["METHODS", "Calibration"]

METHODS = ("isotonic", "logistic")
FORMAT = 1
SINGLE, LISTS = ("threshold", "far", "prior", "slope", "intercept"), ("interval", "knots", "values")
"""The fields that are numbers, and those that are several."""
PRIOR = number(above=0, below=1)
MOST_KNOTS = 4096
"""No curve of a stranger's file may have more."""


@dataclass(frozen=True)
class Calibration:
    """Turns the cosine similarity of two images' embeddings into a verdict and a probability.

    It is plain numbers: it is kept as JSON in a model file, and to use it takes neither scikit-learn nor the images
    that it was fitted to. The probability is that the two images show one identity, where ``prior`` of the pairs that
    one asks about do. With another share pi of such pairs the odds are multiplied by
    pi (1 - prior) / ((1 - pi) prior), which is Bayes' rule.

    Attributes:
        threshold: the cosine similarity from which on two images count as one identity.
        far: the false-accept rate that the threshold was chosen for: the share of pairs of two identities that reach
            it.
        interval: the threshold's 95 % bootstrap interval over identities.
        prior: the share of pairs of one identity that the curves are for, in (0, 1).
        method: the curve that ``probability`` takes: ``isotonic`` or ``logistic``.
        slope, intercept: of the logistic curve, 1 / (1 + exp(-(slope s + intercept))).
        knots: the similarities, rising, between which the isotonic curve is straight; beyond them it is flat.
        values: its probabilities there, rising, in (0, 1).
        facts: what it was fitted to and what was measured; plain values, for people to read.
    """

    threshold: float
    far: float
    interval: tuple[float, float]
    prior: float
    method: str
    slope: float
    intercept: float
    knots: tuple[float, ...]
    values: tuple[float, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in SINGLE:
            object.__setattr__(self, name, _plain(getattr(self, name)))
        for name in LISTS:
            values = getattr(self, name)
            if isinstance(values, Sequence | np.ndarray) and not isinstance(values, str):
                object.__setattr__(self, name, tuple(_plain(value) for value in values))
        problem = self._problem()
        if problem:
            raise EvaluationInputError(f"a calibration {problem}")

    def accepts(self, similarity: Any) -> np.ndarray:
        """Return whether pairs of these cosine similarities count as one identity: bool, of the same shape."""
        return _float64(similarity) >= self.threshold

    def probability(self, similarity: Any, prior: float | None = None, method: str = "") -> np.ndarray:
        """Return the probabilities that pairs of these cosine similarities are of one identity.

        Args:
            similarity: numbers of any shape.
            prior: the share of pairs of one identity among those that are asked about; None for the calibration's own.
            method: ``isotonic`` or ``logistic``; "" for the calibration's own.

        Returns:
            float64 of the same shape, in (0, 1), rising with the similarity.

        Raises:
            EvaluationInputError: a prior outside (0, 1), an unknown method, or similarities that are no numbers.
        """
        if (method or self.method) not in METHODS:
            raise EvaluationInputError(f"method={method!r}: there are {' and '.join(METHODS)}.")
        if prior is not None and not PRIOR.accepts(prior):
            raise EvaluationInputError(f"prior={prior!r}: the share of pairs of one identity lies between 0 and 1.")
        similarity = _float64(similarity)
        if (method or self.method) == "logistic":
            odds = self.slope * similarity + self.intercept
        else:
            odds = logit(np.interp(similarity, self.knots, self.values))
        return expit(odds if prior is None else odds + logit(prior) - logit(self.prior))

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as what JSON holds."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, node: Any, where: str) -> Calibration:
        """Return the calibration that ``to_dict`` gave; anything else is refused.

        Args:
            node: what JSON held.
            where: the file, for messages.

        Raises:
            WeightsError: it is of a newer format, or not what ``to_dict`` gives.
        """
        if not isinstance(node, Mapping):
            raise WeightsError(f"{where}: its calibration is not a mapping")
        if node.get("format") != FORMAT:
            raise WeightsError(
                f"{where}: its calibration has the format {node.get('format')!r}, this reidzoo reads {FORMAT}; update "
                f"reidzoo, or calibrate the model again"
            )
        fields = {key: value for key, value in node.items() if key != "format"}
        if set(fields) != set(cls.__dataclass_fields__):
            odd = sorted(set(fields) ^ set(cls.__dataclass_fields__))
            raise WeightsError(f"{where}: its calibration lacks, or should not have, {', '.join(map(str, odd))}")
        try:
            lists = {key: _numbers(fields[key]) for key in LISTS}
            return cls(**{**fields, **lists})
        except (TypeError, ValueError) as error:
            raise WeightsError(f"{where}: its calibration cannot be used: {error}") from None

    def _problem(self) -> str:
        """Return what is wrong with the fields, "" for nothing."""
        for name in SINGLE:
            if not _is_number(value := getattr(self, name)):
                return f"has a finite number as its {name}, not {show(value)}"
        for name in LISTS:
            if not isinstance(values := getattr(self, name), tuple) or not all(map(_is_number, values)):
                return f"has a list of finite numbers as its {name}, not {show(values)}"
        if len(self.interval) != 2 or self.method not in METHODS or not isinstance(self.facts, Mapping):
            return f"has an interval of two ends, a method ({', '.join(METHODS)}) and a mapping of facts"
        if not (0 < self.prior < 1 and 0 < self.far < 1) or self.slope < 0:
            return "has a prior and a far in (0, 1), and a slope of at least 0"
        if not 2 <= len(self.knots) == len(self.values) <= MOST_KNOTS:
            return f"has from 2 to {MOST_KNOTS} knots, and as many values"
        knots, values = np.array(self.knots), np.array(self.values)
        if (np.diff(knots) <= 0).any() or (np.diff(values) < 0).any() or values[0] <= 0 or values[-1] >= 1:
            return "has rising knots, and values in (0, 1) that do not fall"
        return ""


def _float64(similarity: Any) -> np.ndarray:
    """Return similarities, an array, a tensor of any device, a list or a number, as float64."""
    if isinstance(similarity, torch.Tensor):
        similarity = similarity.detach().double().cpu().numpy()
    try:
        found = np.asarray(similarity)
    except ValueError as error:
        raise EvaluationInputError(f"similarity: {error}; give cosine similarities.") from None
    if found.dtype.kind not in "fiu":
        raise EvaluationInputError(
            f"similarity holds {found.dtype} values; give cosine similarities, which are numbers."
        )
    return found.astype(np.float64, copy=False)


def _plain(value: Any) -> Any:
    """Return a number of numpy as Python's, which JSON holds; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: Any) -> bool:
    """Return whether this is a finite number that a float can hold; JSON's whole numbers have no end."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"a list of numbers is wanted, not {type(values).__name__}")
    return tuple(values)
