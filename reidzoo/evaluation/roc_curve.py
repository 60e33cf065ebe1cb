"""The verification ROC of all query-gallery pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RocCurve:
    """How well one distance threshold for all pairs tells true matches from non-matches.

    Attributes:
        tpr_at: {FPR: TPR}, exact: the greatest share of true matches that a threshold accepts while it accepts at most
            that share of the non-matches.
        thresholds: float64 (T,), distances, evenly spaced in the value that is ranked by.
        fpr: float64 (T,), exact share of the non-matches at most that far.
        tpr: float64 (T,), exact share of the true matches at most that far.
        num_positive: number of pairs that are true matches.
        num_negative: number of pairs that are non-matches.
    """

    tpr_at: dict[float, float]
    thresholds: np.ndarray
    fpr: np.ndarray
    tpr: np.ndarray
    num_positive: int
    num_negative: int
