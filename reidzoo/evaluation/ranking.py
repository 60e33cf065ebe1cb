"""Computes exact CMC, mAP, mINP and ROC in one streaming pass over blocks of queries x gallery."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from reidzoo.distributed import gather_objects, my_slice
from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.protocols import JUNK, PROTOCOLS, Labels, Protocol
from reidzoo.evaluation.ranking_result import RankingResult
from reidzoo.evaluation.ranks import AP_KINDS, pad_matches, rank_matches, ranks_of_matches, score_ranks, sort_rows
from reidzoo.evaluation.rerank import KReciprocal
from reidzoo.evaluation.roc import RocCounter
from reidzoo.neighbours.checks import as_ids, check_choice, check_count, check_seed
from reidzoo.neighbours.distances import METRICS, DistanceSource, FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable

__all__ = ["ROC_RATES", "build_protocol", "evaluate_distances", "evaluate_ranking"]

ROC_RATES = (1e-4, 1e-3, 1e-2)


def evaluate_ranking(
    query_features: Any,
    gallery_features: Any,
    query_pids: Any,
    gallery_pids: Any,
    query_camids: Any = None,
    gallery_camids: Any = None,
    *,
    protocol: str | type[Protocol] = "market1501",
    metric: str = "cosine",
    ap: str = "step",
    max_rank: int = 50,
    query_in_gallery: Any = None,
    seed: int = 0,
    repeats: int | None = None,
    rerank: KReciprocal | bool = False,
    roc: Sequence[float] | bool = False,
    device: str | torch.device = "cpu",
    shard: bool = False,
) -> RankingResult:
    """Rank the gallery for every query and measure how early the true matches come.

    Peak extra memory is one block of distances, about 200 MB, whatever the number of images. Distances are float32,
    ranks are exact counts of them, sums are float64. *Ties*: a true match is ranked behind every non-match at exactly
    the same distance, so the result does not depend on the order of the gallery.

    Args:
        query_features: (Q, D) numpy array (memory-mapped or not), torch tensor, or nested list.
        gallery_features: (G, D), likewise.
        query_pids: (Q,) integers. Queries without a true match are not counted, but reported.
        gallery_pids: (G,) integers; -1 is junk and left out.
        query_camids: (Q,) integers from 0 on; None if unknown.
        gallery_camids: (G,) integers from 0 on; None if unknown. Where some are, leave these images out, or use
            ``camera_free``: a negative camera is refused by the protocols that need cameras.
        protocol: ``market1501``, ``cuhk03``, ``vehicleid``, ``camera_free``, ``cross_camera``, or a Protocol class.
        metric: ``cosine`` or ``euclidean``.
        ap: ``step`` or ``trapezoid``; see ``reidzoo.evaluation.ranks.score_ranks``.
        max_rank: length of the CMC.
        query_in_gallery: (Q,) integers, the gallery row that is the query image itself, -1 for none; such a row does
            not count for its query.
        seed: of the protocols that draw galleries.
        repeats: number of draws; None takes the protocol's own (cuhk03 100, vehicleid 10).
        rerank: True, or ``KReciprocal(k1, k2, lambda_)``, ranks by k-reciprocal re-ranked distances. Every image takes
            part as a neighbour, junk too. This takes more memory, see ``rerank_k_reciprocal``.
        roc: True, or false positive rates at which the true positive rate is wanted.
        device: where distances are computed.
        shard: share the queries among the processes of torch.distributed; each must call with the same arguments, and
            each gets the whole result.

    Raises:
        EvaluationInputError: (a ValueError) features, ids or options that cannot be evaluated, or no query has a match.
    """
    check_choice(metric, "metric", METRICS)
    query = FeatureTable(query_features, "query_features", device)
    gallery = FeatureTable(gallery_features, "gallery_features", device)
    labels = _labels(len(query), len(gallery), query_pids, gallery_pids, query_camids, gallery_camids, query_in_gallery)
    rules = build_protocol(protocol, labels, seed, repeats)
    if rules.pooled:
        query = gallery = _pooled(query, gallery, labels)
    if rerank and rules.single_shot:
        raise EvaluationInputError(
            f"protocol {rules.name!r} draws one image per identity, so k-reciprocal neighbours among all images would "
            f"see what the protocol hides; evaluate without rerank, or by 'market1501' or 'camera_free'."
        )
    source: DistanceSource
    if rerank:
        if rerank is not True and not isinstance(rerank, KReciprocal):
            raise EvaluationInputError(f"rerank={rerank!r}: expected True, False or a KReciprocal.")
        source = (KReciprocal() if rerank is True else rerank).distances(query, gallery, metric)
    else:
        source = FeatureDistances(query, gallery, metric)
    return evaluate_distances(source, rules, ap=ap, max_rank=max_rank, roc=roc, shard=shard)


def build_protocol(protocol: str | type[Protocol], labels: Labels, seed: int, repeats: int | None) -> Protocol:
    """Return the protocol by its name or class, with pooled labels where it wants them.

    Raises:
        EvaluationInputError: unknown name, or labels that the protocol cannot use.
    """
    if not inspect.isclass(protocol):
        check_choice(protocol, "protocol", tuple(PROTOCOLS))
        protocol = PROTOCOLS[protocol]
    if protocol.single_shot:
        seed = check_seed(seed)
    if repeats is not None:
        check_count(repeats, "repeats")
    return protocol(labels.pooled() if protocol.pooled else labels, seed, repeats)


def evaluate_distances(
    source: DistanceSource,
    protocol: Protocol,
    *,
    ap: str = "step",
    max_rank: int = 50,
    roc: Sequence[float] | bool = False,
    shard: bool = False,
) -> RankingResult:
    """Measure the ranking that ``source`` gives; ``evaluate_ranking`` says what the arguments are.

    Raises:
        EvaluationInputError: unknown options, labels of another number of images, distances that are NaN, or no query
            has a true match.
    """
    check_choice(ap, "ap", AP_KINDS)
    check_count(max_rank, "max_rank")
    sizes = (len(protocol.labels.query_pids), len(protocol.labels.gallery_pids))
    if sizes != (source.num_queries, source.num_gallery):
        raise EvaluationInputError(
            f"the labels are of {sizes[0]} queries and {sizes[1]} gallery images, the distances of "
            f"{source.num_queries} and {source.num_gallery}."
        )
    counter = None
    roc = bool(roc) if isinstance(roc, np.bool_) else roc
    if roc is not False and roc is not None:
        if protocol.single_shot:
            raise EvaluationInputError(f"roc is not defined for the single-shot protocol {protocol.name!r}.")
        counter = RocCounter(source, ROC_RATES if roc is True else roc)
    protocol.check()
    block = source.new_block()
    start, stop = my_slice(source.num_queries, len(block)) if shard else (0, source.num_queries)
    scores = _Scores(start, stop, max_rank, ap, protocol.trials)
    for first in range(start, stop, len(block)):
        rows = np.arange(first, min(first + len(block), stop))
        source.fill(first, block)
        _score_block(block[: len(rows)], rows, protocol, scores, counter)
    return _summarise(scores, counter, source, protocol, shard)


class _Scores:
    """Sums over trials for the queries of one process."""

    def __init__(self, start: int, stop: int, max_rank: int, ap: str, trials: int) -> None:
        self.start, self.max_rank, self.ap = start, max_rank, ap
        self.sums = np.zeros((3, stop - start))  # average precision, inverse negative penalty, trials
        self.first_ranks = np.zeros((stop - start, trials), dtype=np.int64)

    def add(self, rows: np.ndarray, trial: int, ranks: np.ndarray, counts: np.ndarray) -> None:
        """Add one trial of the queries ``rows``; those without a match have ``counts`` 0 and add nothing."""
        valid = counts > 0
        average, penalty, first = score_ranks(ranks[valid], counts[valid], self.ap)
        self.sums[:, rows[valid] - self.start] += np.stack([average, penalty, np.ones_like(average)])
        self.first_ranks[rows[valid] - self.start, trial] = first


def _score_block(
    values: torch.Tensor, rows: np.ndarray, protocol: Protocol, scores: _Scores, counter: RocCounter | None
) -> None:
    """Rank one block in all trials; without drawn galleries its ``values`` are sorted in place."""
    num_gallery = len(protocol.labels.gallery_pids)
    for trial in range(protocol.trials):
        judgement = protocol.judge(rows, trial)
        matches, counts = pad_matches(values, judgement.match_rows, judgement.match_columns)
        columns = protocol.columns(trial)
        if columns is None:
            candidates = values
            candidates[:, num_gallery:] = torch.inf
            candidates[:, torch.from_numpy(np.flatnonzero(protocol.labels.gallery_pids == JUNK))] = torch.inf
            _remove(candidates, judgement.match_rows, judgement.match_columns)
        else:
            candidates = values[:, torch.from_numpy(columns).to(values.device)]
        _remove(candidates, judgement.removed_rows, judgement.removed_columns)
        # The largest value is NaN where one is, and NaN is sorted behind infinity.
        if bool(torch.isnan(candidates.max())) or bool(torch.isnan(matches[:, -1]).any()):
            raise EvaluationInputError(
                f"the distances of queries {rows[0]} to {rows[-1]} hold NaN; look at their source."
            )
        if counter is None:
            ranks = rank_matches(candidates, matches, counts)
        else:
            ranks = ranks_of_matches(sort_rows(candidates), matches)
            counter.update(candidates, matches)
        scores.add(rows, trial, ranks.cpu().numpy(), counts)


def _remove(candidates: torch.Tensor, rows: np.ndarray, columns: np.ndarray) -> None:
    row, column = (torch.from_numpy(index).to(candidates.device) for index in (rows, columns))
    candidates[row, column] = torch.inf


def _summarise(
    scores: _Scores, counter: RocCounter | None, source: DistanceSource, protocol: Protocol, shard: bool
) -> RankingResult:
    part = (scores.sums, scores.first_ranks, counter.state() if counter else None)
    parts = gather_objects(part) if shard else [part]
    average, penalty, trials = np.concatenate([part[0] for part in parts], axis=1)
    counted = trials.sum()
    first_ranks = np.concatenate([part[1] for part in parts])
    reached = first_ranks[(first_ranks > 0) & (first_ranks <= scores.max_rank)]
    return RankingResult(
        mAP=float(average.sum() / counted),
        cmc=np.cumsum(np.bincount(reached - 1, minlength=scores.max_rank)) / counted,
        mINP=float(penalty.sum() / counted),
        num_queries=source.num_queries,
        num_valid_queries=int(np.count_nonzero(trials)),
        per_query_ap=np.divide(average, trials, out=np.full(len(trials), np.nan), where=trials > 0),
        protocol=protocol.name,
        metric=source.metric,
        ap=scores.ap,
        trials=protocol.trials,
        first_ranks=first_ranks,
        roc=counter.finish([state for _, _, state in parts if state is not None]) if counter else None,
    )


def _pooled(query: FeatureTable, gallery: FeatureTable, labels: Labels) -> FeatureTable:
    """Return the images in the order of ``labels.pooled()``."""
    outside = query.gather(labels.outside_gallery)
    if not len(outside):
        return gallery
    return FeatureTable.joined([gallery, FeatureTable(outside, query.name, query.device)], "features")


def _labels(
    num_queries: int,
    num_gallery: int,
    query_pids: Any,
    gallery_pids: Any,
    query_camids: Any,
    gallery_camids: Any,
    query_in_gallery: Any,
) -> Labels:
    def ids(values: Any, name: str, length: int, owner: str) -> np.ndarray | None:
        return None if values is None else as_ids(values, name, length, owner)

    in_gallery = ids(query_in_gallery, "query_in_gallery", num_queries, "query_features")
    if in_gallery is not None and (in_gallery.min() < -1 or in_gallery.max() >= num_gallery):
        raise EvaluationInputError(f"query_in_gallery: entries must be -1 or gallery rows, 0 to {num_gallery - 1}.")
    return Labels(
        as_ids(query_pids, "query_pids", num_queries, "query_features"),
        as_ids(gallery_pids, "gallery_pids", num_gallery, "gallery_features"),
        ids(query_camids, "query_camids", num_queries, "query_features"),
        ids(gallery_camids, "gallery_camids", num_gallery, "gallery_features"),
        in_gallery,
    )
