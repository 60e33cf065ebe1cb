"""Slow, plain definitions of what reidzoo.evaluation computes: explicit loops over pairs, in float64."""

from __future__ import annotations

import numpy as np
import pytest


def plain_distance(q, g, metric):
    q, g = np.asarray(q, np.float64), np.asarray(g, np.float64)
    if metric == "cosine":
        return 1.0 - float(q @ g) / float(np.sqrt(q @ q) * np.sqrt(g @ g))
    return float(((q - g) ** 2).sum())


def plain_scores(pairs, ap_kind):
    """Return (AP, INP, first rank) of one query from (distance, is_match) pairs, ties against the matches."""
    ranking = sorted(pairs, key=lambda pair: (pair[0], pair[1]))
    found, total, precisions, ranks = 0, sum(match for _, match in pairs), [], []
    for rank, (_, match) in enumerate(ranking, start=1):
        if not match:
            continue
        found += 1
        precision = found / rank
        before = 1.0 if rank == 1 else (found - 1) / (rank - 1)
        precisions.append(precision if ap_kind == "step" else (precision + before) / 2)
        ranks.append(rank)
    return sum(precisions) / total, total / ranks[-1], ranks[0]


def plain_ranking(q, g, qp, gp, qc, gc, *, protocol, metric, ap, own=None, max_rank=50):
    """Return (mAP, CMC, mINP, number of valid queries, all (distance, is_match) pairs)."""
    scores, every_pair = [], []
    for i in range(len(q)):
        pairs = []
        for j in range(len(g)):
            same_id, same_camera = qp[i] == gp[j], qc[i] == gc[j]
            if gp[j] == -1 or (own is not None and own[i] == j):
                continue
            if protocol == "market1501" and same_id and same_camera:
                continue
            if protocol == "cross_camera" and same_camera:
                continue
            pairs.append((round(plain_distance(q[i], g[j], metric), 12), bool(same_id)))
        every_pair += pairs
        if any(match for _, match in pairs):
            scores.append(plain_scores(pairs, ap))
    return (*plain_summary(scores, max_rank), len(scores), every_pair)


def plain_summary(scores, max_rank=50):
    if not scores:
        return None, None, None
    cmc = [sum(first <= k for _, _, first in scores) / len(scores) for k in range(1, max_rank + 1)]
    return sum(s[0] for s in scores) / len(scores), cmc, sum(s[1] for s in scores) / len(scores)


def plain_rerank(q, g, k1, k2, lambda_, metric):
    """Zhong et al.'s re-ranking on dense matrices; own image first, ties by index."""
    x = np.concatenate([q, g]).astype(np.float64)
    if metric == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    n = len(x)
    dist = ((x[:, None] - x[None]) ** 2).sum(-1)
    ranked = [sorted(range(n), key=lambda j: (j != i, round(dist[i, j], 12), j)) for i in range(n)]
    largest = dist.max(axis=1, keepdims=True)
    dist = np.divide(dist, largest, out=np.zeros_like(dist), where=largest > 0)

    def reciprocal(i, k):
        return {j for j in ranked[i][: k + 1] if i in ranked[j][: k + 1]}

    v = np.zeros((n, n))
    for i in range(n):
        base = reciprocal(i, k1)
        expanded = set(base)
        for c in base:
            extra = reciprocal(c, int(np.around(k1 / 2)))
            if 3 * len(extra & base) > 2 * len(extra):
                expanded |= extra
        index = sorted(expanded)
        weight = np.exp(-dist[i, index])
        v[i, index] = weight / weight.sum()
    v = np.stack([v[ranked[i][:k2]].mean(axis=0) for i in range(n)])
    out = np.zeros((len(q), len(g)))
    for i in range(len(q)):
        for j in range(len(g)):
            shared = np.minimum(v[i], v[len(q) + j]).sum()
            out[i, j] = (1 - lambda_) * (1 - shared / (2 - shared)) + lambda_ * dist[i, len(q) + j]
    return out


@pytest.fixture
def plain():
    """The plain definitions by name."""

    class Plain:
        distance = staticmethod(plain_distance)
        scores = staticmethod(plain_scores)
        ranking = staticmethod(plain_ranking)
        summary = staticmethod(plain_summary)
        rerank = staticmethod(plain_rerank)

    return Plain


@pytest.fixture
def make_case():
    """A function that makes one small random case with ties, junk, distractors and queries without a match."""

    def make(seed, metric="euclidean", num_query=None, num_gallery=None):
        rng = np.random.default_rng(seed)
        num_query = num_query or int(rng.integers(1, 8))
        num_gallery = num_gallery or int(rng.integers(1, 25))
        ids = int(rng.integers(1, 6))
        if metric == "euclidean":  # few small integers: many exact ties between different vectors
            draw = lambda n: rng.integers(-2, 3, size=(n, 3)).astype(np.float32)  # noqa: E731
        else:  # few distinct directions: many duplicates
            kinds = rng.standard_normal((7, 5)).astype(np.float32)
            draw = lambda n: kinds[rng.integers(0, 7, size=n)]  # noqa: E731
        return {
            "query_features": draw(num_query),
            "gallery_features": draw(num_gallery),
            "query_pids": rng.integers(1, ids + 2, size=num_query),
            "gallery_pids": rng.integers(-1, ids + 1, size=num_gallery),
            "query_camids": rng.integers(0, 3, size=num_query),
            "gallery_camids": rng.integers(0, 3, size=num_gallery),
        }

    return make
