"""Plain, dense transcriptions of the definitions, with every N x N matrix, for the tests to compare."""

from __future__ import annotations

from collections import defaultdict

import numpy as np


def ranking(features, columns):
    """Neighbours by (distance, index) after the row itself; equal rows are exactly equally far. Float64."""
    x = features.astype(np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    similarity = x @ x.T
    _, group = np.unique(x, axis=0, return_inverse=True)
    group = group.reshape(-1)
    first = {g: i for i, g in reversed(list(enumerate(group)))}
    representative = np.array([first[g] for g in group])
    order_by = 1.0 - similarity[np.ix_(representative, representative)]  # rounding alike for equal rows
    order_by[group[:, None] == group[None, :]] = -1.0
    np.fill_diagonal(order_by, -2.0)
    return np.argsort(order_by, axis=1, kind="stable")[:, :columns], similarity


def k_reciprocal(rank, i, k):
    forward = rank[i, :k]
    backward = rank[forward, :k]
    return forward[np.where(backward == i)[0]]


def jaccard(features, k1=30, k2=6, count_self=True):
    """SPEC.md section 0, as the code of SpCL writes it down, in float64."""
    n = len(features)
    rank, similarity = ranking(features, k1 if count_self else k1 + 1)
    full = [k_reciprocal(rank, i, k1 + 1) for i in range(n)]
    half = [k_reciprocal(rank, i, int(np.around(k1 / 2)) + 1) for i in range(n)]
    v = np.zeros((n, n))
    for i in range(n):
        expanded = full[i]
        for candidate in full[i]:
            if len(np.intersect1d(half[candidate], full[i])) > 2 / 3 * len(half[candidate]):
                expanded = np.append(expanded, half[candidate])
        expanded = np.unique(expanded)
        weight = np.exp(-(2 - 2 * similarity[i, expanded]))
        v[i, expanded] = weight / weight.sum()
    if k2 > 1:
        v = np.stack([v[rank[i, :k2]].mean(axis=0) for i in range(n)])
    distance = np.zeros((n, n))
    for i in range(n):
        own = np.flatnonzero(v[i])
        m = np.minimum(v[i, own], v[:, own]).sum(axis=1)
        distance[i] = 1 - m / (2 - m)
    return np.maximum(distance, 0)


def dbscan(distance, eps, min_samples):
    """scikit-learn's walk over a matrix of distances: depth first from each core node in turn."""
    n = len(distance)
    neighbours = [np.flatnonzero(row <= eps) for row in distance]
    core = [len(each) >= min_samples for each in neighbours]
    labels = np.full(n, -1)
    number = 0
    for start in range(n):
        if labels[start] != -1 or not core[start]:
            continue
        stack = [start]
        while stack:
            i = stack.pop()
            if labels[i] != -1:
                continue
            labels[i] = number
            if core[i]:
                stack.extend(j for j in neighbours[i] if labels[j] == -1)
        number += 1
    return labels


def renumber(labels):
    """Number the clusters by their first member."""
    number = {}
    return np.array([-1 if label < 0 else number.setdefault(label, len(number)) for label in labels], dtype=np.int64)


def self_paced(labels, tight, loose, threshold=None):
    """SpCL's filter with its label matrices. Returns the labels, the threshold, R_indep and R_comp."""

    def own(each):
        each = np.array(each)
        outlier = each < 0
        each[outlier] = each.max() + 1 + np.arange(outlier.sum())
        return each

    classes = own(labels)
    same, same_tight, same_loose = (
        (x[:, None] == x[None, :]).astype(np.float64) for x in map(own, (labels, tight, loose))
    )
    comp = 1 - np.minimum(same, same_tight).sum(-1) / np.maximum(same, same_tight).sum(-1)
    indep = 1 - np.minimum(same, same_loose).sum(-1) / np.maximum(same, same_loose).sum(-1)
    cluster_comp, cluster_indep, count = defaultdict(list), defaultdict(list), defaultdict(int)
    for c, d, label in zip(comp, indep, classes):
        cluster_comp[label].append(c)
        cluster_indep[label].append(d)
        count[label] += 1
    if threshold is None:
        values = np.sort([min(cluster_indep[c]) for c in sorted(cluster_indep) if count[c] > 1])
        threshold = values[min(len(values) - 1, int(np.round(len(values) * 0.9)))]
    result = np.array(labels)
    for i, label in enumerate(classes):
        if min(cluster_indep[label]) > threshold or comp[i] > min(cluster_comp[label]):
            result[i] = -1
    return renumber(result), threshold, indep, comp
