"""The verification ROC of all query-gallery pairs, counted in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from reidzoo.checks import number
from reidzoo.errors import EvaluationInputError
from reidzoo.neighbours.distances import DistanceSource

__all__ = ["RocCounter", "RocCurve"]

STEPS = 1000
RATE = number(above=0, below=1)


@dataclass(frozen=True)
class RocCurve:
    """The shares of true matches and of non-matches that one distance threshold for all pairs accepts.

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


class RocCounter:
    """Gathers pairs block by block: counts at fixed thresholds, all true matches, and the nearest non-matches.

    TPR at FPR f needs the non-match with floor(f N) nearer ones. Only as many of the nearest are kept as the greatest
    f can need: 10 million of MSMT17's 958 million for f = 0.01, 38 MB.

    Args:
        source: where the values come from.
        rates: the false positive rates asked for, each in (0, 1).

    Raises:
        EvaluationInputError: a rate outside (0, 1).
    """

    def __init__(self, source: DistanceSource, rates: Sequence[float]) -> None:
        self._rates = check_rates(rates)
        self._source = source
        pairs = source.num_queries * source.num_gallery
        # At most all pairs are non-matches; which of them are is known only when they have been seen.
        self._keep = min(allowed_accepts(max(self._rates), pairs), pairs - 1) + 1
        low, high = source.limits()
        self._edges = torch.linspace(low, high, STEPS + 1, dtype=torch.float32, device=source.device)
        self._negative_counts = np.zeros(STEPS + 1, dtype=np.int64)
        self._num_negative = 0
        self._positives: list[np.ndarray] = []
        self._nearest: list[np.ndarray] = []
        self._limit = np.inf

    def update(self, candidates: torch.Tensor, matches: torch.Tensor) -> None:
        """Count a block: ``candidates`` and ``matches`` as ``ranks_of_matches`` takes them."""
        edges = self._edges.expand(len(candidates), -1).contiguous()
        self._negative_counts += torch.searchsorted(candidates, edges, right=True).sum(0).cpu().numpy()
        self._num_negative += int(torch.isfinite(candidates).sum())
        self._positives.append(matches[torch.isfinite(matches)].cpu().numpy())
        for part in candidates.split(32):
            # "At most" and not "below": equal values beyond those kept change nothing.
            nearest = part[(part <= self._limit) & torch.isfinite(part)].cpu().numpy()
            self._nearest.append(nearest)
            if sum(map(len, self._nearest)) > 2 * self._keep:
                self._prune()

    def state(self) -> tuple:
        """Return what ``finish`` needs, to be sent to other processes."""
        self._prune()
        return self._negative_counts, self._num_negative, np.concatenate(self._positives or [_NONE]), self._nearest[0]

    def finish(self, states: Sequence[tuple]) -> RocCurve:
        """Return the curve of all pairs that the processes' ``states`` hold together."""
        counts = sum(state[0] for state in states)
        num_negative = sum(state[1] for state in states)
        positives = np.sort(np.concatenate([state[2] for state in states]))
        nearest = np.sort(np.concatenate([state[3] for state in states]))
        if num_negative == 0:
            raise EvaluationInputError("roc: there is no pair of two identities, so false positives cannot be counted.")
        edges = self._edges.cpu().numpy()
        tpr_at = {}
        for rate in self._rates:
            first_refused = nearest[min(allowed_accepts(rate, num_negative), num_negative - 1)]
            tpr_at[rate] = float(np.searchsorted(positives, first_refused, side="left") / len(positives))
        return RocCurve(
            tpr_at=tpr_at,
            thresholds=self._source.to_distance(edges),
            fpr=counts / num_negative,
            tpr=np.searchsorted(positives, edges, side="right") / len(positives),
            num_positive=len(positives),
            num_negative=num_negative,
        )

    def _prune(self) -> None:
        nearest = np.concatenate(self._nearest or [_NONE])
        if len(nearest) > self._keep:
            nearest = np.partition(nearest, self._keep - 1)[: self._keep]
            self._limit = float(nearest[self._keep - 1])
        self._nearest = [nearest]


def check_rates(rates: Iterable[float]) -> tuple[float, ...]:
    """Return false positive rates, of which there must be some, and all between 0 and 1.

    Raises:
        EvaluationInputError: there are none, or one does not.
    """
    if isinstance(rates, np.ndarray | torch.Tensor):
        rates = rates.tolist()
    if not isinstance(rates, Iterable) or isinstance(rates, str):
        raise EvaluationInputError(f"roc={rates!r}: expected a list of false positive rates, such as (0.001, 0.01).")
    found = tuple(rates)
    if not found or not all(RATE.accepts(rate) for rate in found):
        raise EvaluationInputError(f"roc={found}: false positive rates must lie between 0 and 1.")
    return tuple(float(rate) for rate in found)


def allowed_accepts(rate: float, count: int) -> int:
    """Return floor(rate * count): how many of ``count`` non-matches a false-accept rate allows to be accepted.

    The product is rounded up a little first: 0.29 * 100 is 29 although it is 28.999... in binary.
    """
    return int(rate * count * (1 + 1e-12))


_NONE = np.empty(0, dtype=np.float32)
