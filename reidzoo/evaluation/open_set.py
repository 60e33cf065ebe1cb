"""Open-set identification: who is it, if it is anybody that the gallery knows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.protocols import JUNK, Protocol
from reidzoo.evaluation.roc import allowed_accepts, check_rates
from reidzoo.neighbours.distances import FeatureDistances

__all__ = ["OpenSet", "identify_open_set"]

REPEATS = 10


@dataclass(frozen=True)
class OpenSet:
    """Detection and identification rates, means over random halves of the identities.

    Attributes:
        rates: {FAR: DIR}. FAR is the share of queries of unknown people for whom somebody is found; DIR the share of
            queries of known people for whom the right one is found, first and above the same threshold.
        thresholds: {FAR: the mean threshold}, a cosine similarity.
        known, unknown: queries of either kind in a repeat, on average; those of unknown people with no image left to be
            compared with do not count.
        repeats: how many halves were drawn.
    """

    rates: dict[float, float]
    thresholds: dict[float, float]
    known: float
    unknown: float
    repeats: int


def identify_open_set(
    source: FeatureDistances, protocol: Protocol, rates: Sequence[float] = (0.01, 0.1), seed: int = 0
) -> OpenSet:
    """Return the detection and identification rate at false-alarm rates, DIR at FAR.

    Phillips, Grother and Micheals, "Evaluation methods in face recognition" (Handbook of Face Recognition, 2011); for
    re-identification Liao et al., "Open-set person re-identification", arXiv 1408.0872. A random half of the queries'
    identities is removed from the gallery, which makes their queries those of unknown people; that is done ten times.
    One block of queries by gallery images is in memory at a time; what is kept of it is each query's highest
    similarity, and whether that is its own identity's.

    Args:
        source: cosine distances of Q queries to G gallery images.
        protocol: which pairs do not count; one that does not draw galleries.
        rates: the false-alarm rates, in (0, 1).
        seed: of the halves.

    Raises:
        EvaluationInputError: a rate outside (0, 1), fewer than two identities with a match, another metric, or no query
            of an unknown person with an image to be compared with.
    """
    rates = check_rates(rates)
    if source.metric != "cosine":
        raise EvaluationInputError(f"open-set identification compares cosines, not {source.metric} distances.")
    matched = protocol.matched_queries()
    people = np.unique(protocol.labels.query_pids[matched])
    if len(people) < 2:
        raise EvaluationInputError(
            f"open-set identification needs two identities with a match; there is {len(people)}."
        )
    rng = np.random.default_rng(seed)
    halves = [rng.permutation(people)[: len(people) // 2] for _ in range(REPEATS)]  # the unknown
    best, right = _best(source, protocol, halves)
    rows = np.flatnonzero(matched)
    found, thresholds = np.zeros((REPEATS, len(rates))), np.zeros((REPEATS, len(rates)))
    known = unknown = 0
    for repeat, half in enumerate(halves):
        hidden = np.isin(protocol.labels.query_pids[rows], half)
        alarms, asked = np.sort(best[repeat, rows[hidden]])[::-1], rows[~hidden]
        alarms = alarms[np.isfinite(alarms)]
        if not len(alarms):
            raise EvaluationInputError(
                "open-set identification: without half of the identities, the protocol leaves no gallery image to "
                "compare that half's queries with; bring more identities or cameras."
            )
        known, unknown = known + len(asked), unknown + len(alarms)
        for place, rate in enumerate(rates):
            first_refused = alarms[min(allowed_accepts(rate, len(alarms)), len(alarms) - 1)]
            thresholds[repeat, place] = first_refused
            found[repeat, place] = (right[repeat, asked] & (best[repeat, asked] > first_refused)).mean()
    return OpenSet(
        dict(zip(rates, found.mean(0).tolist())),
        dict(zip(rates, thresholds.mean(0).tolist())),
        known / REPEATS,
        unknown / REPEATS,
        REPEATS,
    )


def _best(source: FeatureDistances, protocol: Protocol, halves: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return each query's highest similarity without the people of each half, and whether it is its own identity's.

    Both are (repeats, Q). A tie between its own identity and another is lost, as in the ranking.
    """
    labels = protocol.labels
    gallery = torch.from_numpy(labels.gallery_pids).to(source.device)
    hidden = [torch.from_numpy(np.isin(labels.gallery_pids, half) | (labels.gallery_pids == JUNK)) for half in halves]
    best = np.full((len(halves), source.num_queries), -np.inf)
    right = np.zeros(best.shape, bool)
    block = source.new_block()
    for start in range(0, source.num_queries, len(block)):
        rows = np.arange(start, min(start + len(block), source.num_queries))
        source.fill(start, block)
        values = block[: len(rows), : source.num_gallery]
        judged = protocol.judge(rows, 0)
        row, column = (torch.from_numpy(x).to(values.device) for x in (judged.removed_rows, judged.removed_columns))
        values[row, column] = torch.inf  # the values rise with the distance
        own = torch.from_numpy(labels.query_pids[rows]).to(values.device)[:, None] == gallery
        for repeat, mask in enumerate(hidden):
            shown = values.masked_fill(mask.to(values.device), torch.inf)
            others = shown.masked_fill(own, torch.inf).amin(1)
            mine = shown.masked_fill_(~own, torch.inf).amin(1)
            best[repeat, rows] = -torch.minimum(mine, others).double().cpu().numpy()
            right[repeat, rows] = (mine < others).cpu().numpy()
    return best, right
