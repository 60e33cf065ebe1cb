from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import cluster, metrics

from reidzoo.clustering import ClusteringError, KMeans, kmeans
from reidzoo.clustering.kmeans import TILE, assign, without_empty
from reidzoo.registry import CLUSTERER


def plain_lloyd(x, centroids, max_iters):
    """Lloyd's algorithm by its definition: distances of all pairs, in float64; numbers as the centroids are given."""
    x, centroids = x.astype(np.float64), np.array(centroids, dtype=np.float64)
    labels = None
    for _ in range(max_iters):
        found = plain_labels(x, centroids)
        if labels is not None and (found == labels).all():
            break
        labels = found
        centroids = np.stack([x[labels == k].mean(axis=0) for k in range(len(centroids))])
    return plain_labels(x, centroids), centroids


def plain_labels(x, centroids):
    """Nearest centroid, the first of equally near ones; then empty clusters take the farthest rows of others."""
    distance = np.round(((x[:, None] - centroids[None]) ** 2).sum(axis=2), 9)
    labels = distance.argmin(axis=1)
    far = np.argsort(-distance.min(axis=1), kind="stable")
    for k in range(len(centroids)):
        if not (labels == k).any():
            labels[next(i for i in far if (labels == labels[i]).sum() > 1)] = k
            far = [i for i in far if labels[i] != k]
    return labels


def numbered(labels, centroids):
    """Number clusters by their first member."""
    _, first = np.unique(labels, return_index=True)
    order = labels[np.sort(first)]
    return np.argsort(order)[labels], centroids[order]


def people(n, dim=8, spread=0.5, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(n // 10, 1), dim))
    return (centres[rng.integers(0, len(centres), n)] + spread * rng.standard_normal((n, dim))).astype(np.float32)


@pytest.mark.parametrize("max_iters", [1, 2, 5, 300])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (7, 7), (30, 1), (60, 13), (400, 40)])
def test_equals_the_definition(n, k, max_iters):
    for seed in range(3):
        x = people(n, seed=seed)
        init = x[np.random.default_rng(seed).permutation(n)[:k]] + np.float32(0.1)
        labels, centroids = kmeans(x, k, max_iters=max_iters, init=init)
        want, means = numbered(*plain_lloyd(x, init, max_iters))
        assert labels.dtype == np.int64 and centroids.dtype == np.float32 and centroids.shape == (k, 8)
        np.testing.assert_array_equal(labels, want)
        np.testing.assert_allclose(centroids, means, atol=1e-6)


def test_integers_with_many_exact_ties():
    for seed in range(20):
        x = np.random.default_rng(seed).integers(-2, 3, (80, 2)).astype(np.float32)
        init = np.unique(x, axis=0)[::2][:6]
        want, means = numbered(*plain_lloyd(x, init, 50))
        labels, centroids = kmeans(x, len(init), init=init, max_iters=50)
        np.testing.assert_array_equal(labels, want)
        np.testing.assert_allclose(centroids, means, atol=1e-6)


def test_several_tiles_agree_with_the_definition():
    x = people(TILE + 300, dim=4)
    init = x[:50]
    want, _ = numbered(*plain_lloyd(x, init, 20))
    np.testing.assert_array_equal(kmeans(x, 50, init=init, max_iters=20)[0], want)


@pytest.mark.parametrize("offset", [0.0, 100.0, 3000.0])
def test_labels_are_those_of_float64_where_float32_cannot_tell(offset):
    # Pairs of centroids so close, or so far from the origin, that float32 products lose the difference.
    rng = np.random.default_rng(0)
    base = rng.standard_normal((20, 64))
    centroids = torch.from_numpy(np.concatenate([base, base + 1e-6 * rng.standard_normal((20, 64))]) + offset)
    x = (np.repeat(base, 30, axis=0) + 0.1 * rng.standard_normal((600, 64)) + offset).astype(np.float32)
    distance = ((x.astype(np.float64)[:, None] - centroids.numpy()[None]) ** 2).sum(axis=2)
    rows = torch.from_numpy(x)
    labels = assign(rows, centroids, rows.norm(dim=1))
    np.testing.assert_array_equal(labels.numpy(), distance.argmin(axis=1))


def test_empty_clusters_take_the_farthest_rows():
    # Two centroids far from everything: row 4 is the farthest from its own centroid, row 3 the next.
    x = np.array([[0.0], [0.1], [0.2], [2.0], [5.0]], dtype=np.float32)
    labels, centroids = kmeans(x, 3, init=[[0.0], [90.0], [99.0]], max_iters=1)
    assert labels.tolist() == [0, 0, 0, 1, 2]
    np.testing.assert_allclose(centroids[:, 0], [0.1, 2.0, 5.0], atol=1e-6)


def test_a_row_alone_in_its_cluster_is_not_taken_from_it():
    rows = torch.tensor([[0.0], [1.0], [50.0]])
    centroids = torch.tensor([[0.0], [9.0], [99.0]], dtype=torch.float64)
    assert without_empty(rows, centroids, torch.tensor([0, 0, 1])).tolist() == [0, 2, 1]


def test_a_cluster_of_two_gives_up_one_row():
    rows = torch.tensor([[0.0], [1.0], [2.0], [50.0], [51.0]])
    centroids = torch.tensor([[0.0], [60.0], [90.0], [99.0]], dtype=torch.float64)
    assert without_empty(rows, centroids, torch.tensor([0, 0, 0, 1, 1])).tolist() == [0, 0, 3, 2, 1]


def test_no_cluster_is_empty_and_numbers_follow_first_members():
    for seed in range(10):
        labels, centroids = kmeans(people(90, spread=0.05, seed=seed), 30, seed=seed, max_iters=seed % 3 + 1)
        first = np.unique(labels, return_index=True)[1]
        assert len(first) == len(centroids) == 30 and (np.diff(first) > 0).all()


def test_as_many_clusters_as_rows():
    x = people(25)
    labels, centroids = kmeans(x, 25)
    assert labels.tolist() == list(range(25))
    np.testing.assert_array_equal(centroids, x)


def test_one_cluster_is_the_mean():
    x = people(25)
    labels, centroids = kmeans(x, 1)
    assert not labels.any()
    np.testing.assert_allclose(centroids[0], x.mean(axis=0), atol=1e-6)


def test_duplicates_stay_together():
    kinds = people(6)
    which = np.random.default_rng(0).permutation(np.arange(60) % 6)
    labels, centroids = kmeans(kinds[which], 6)
    _, first = np.unique(which, return_index=True)
    np.testing.assert_array_equal(labels, np.argsort(which[np.sort(first)])[which])
    np.testing.assert_allclose(centroids, kinds[which[np.sort(first)]], atol=1e-6)


def test_well_parted_identities_are_found():
    rng = np.random.default_rng(0)
    which = rng.integers(0, 12, 300)
    labels = kmeans(10 * np.eye(12, 16)[which] + 0.1 * rng.standard_normal((300, 16)), 12)[0]
    assert len({(one, other) for one, other in zip(which, labels)}) == 12


def test_the_same_seed_gives_the_same_answer_and_another_may_not():
    x = people(200, spread=1.0)
    one, again, other = kmeans(x, 20, seed=1), kmeans(x, 20, seed=1), kmeans(x, 20, seed=2)
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    assert (one[0] != other[0]).any()


def test_takes_arrays_and_tensors_of_any_kind_and_leaves_them_alone():
    x = np.random.default_rng(0).integers(-9, 9, (40, 5))
    want = kmeans(x, 6)[0]
    for other in (x.astype(np.float16), np.asfortranarray(x.astype(np.float64)), torch.from_numpy(x).float()):
        before = other.copy() if isinstance(other, np.ndarray) else other.clone()
        np.testing.assert_array_equal(kmeans(other, 6)[0], want)
        assert (before == other).all()


def test_the_registered_class_gives_the_same_labels():
    x = people(120)
    clusterer = CLUSTERER.build({"type": "KMeans", "num_clusters": 9, "seed": 4})
    np.testing.assert_array_equal(clusterer.fit_predict(torch.from_numpy(x)), kmeans(x, 9, seed=4)[0])
    once = KMeans(9, max_iters=1).fit_predict(x)
    np.testing.assert_array_equal(once, kmeans(x, 9, max_iters=1)[0])
    assert (once != kmeans(x, 9)[0]).any()


def scikit_learn(x, init, max_iters=100):
    """scikit-learn's Lloyd from the same beginning: labels by first member, and the means."""
    options = {"n_init": 1, "max_iter": max_iters, "tol": 0.0, "algorithm": "lloyd"}
    found = cluster.KMeans(len(init), init=init, **options).fit(x.astype(np.float64))
    return numbered(found.labels_, found.cluster_centers_)


def test_iterates_as_scikit_learn_does():
    for seed in range(5):
        x = people(500, spread=1.0, seed=seed)
        for max_iters in (3, 100):
            labels, centroids = kmeans(x, 40, init=x[:40], max_iters=max_iters)
            other, means = scikit_learn(x, x[:40], max_iters)
            np.testing.assert_array_equal(labels, other)
            np.testing.assert_allclose(centroids, means, atol=1e-6)


def test_equals_scikit_learn_where_clusters_run_empty():
    x = people(300, seed=1)
    init = np.concatenate([x[:10], x[:10] + 50 + np.arange(10)[:, None]])
    np.testing.assert_array_equal(kmeans(x, 20, init=init)[0], scikit_learn(x, init)[0])


def test_finds_the_blobs_as_well_as_scikit_learn():
    # Means over ten beginnings, since each one ends in a local optimum of its own.
    rng = np.random.default_rng(0)
    which = np.arange(1000) % 50
    x = (rng.standard_normal((50, 32))[which] + 0.5 * rng.standard_normal((1000, 32))).astype(np.float32)
    ours, theirs = [], []
    for seed in range(10):
        labels, centroids = kmeans(x, 50, seed=seed)
        ours.append((((x - centroids[labels]) ** 2).sum(), metrics.adjusted_rand_score(which, labels)))
        found = cluster.KMeans(50, n_init=1, tol=0.0, random_state=seed).fit(x)
        theirs.append((found.inertia_, metrics.adjusted_rand_score(which, found.labels_)))
    (inertia, agreement), (their_inertia, their_agreement) = np.mean(ours, axis=0), np.mean(theirs, axis=0)
    assert inertia < 1.06 * their_inertia  # k-means++ with one candidate ends a quarter above
    assert agreement > their_agreement - 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_clusters": 0}, "num_clusters: expected a whole number"),
        ({"num_clusters": 2.5}, "num_clusters: expected a whole number"),
        ({"max_iters": 0}, "max_iters: expected"),
        ({"seed": -1}, "seed=-1: expected"),
        ({"seed": 1.5}, "seed=1.5: expected"),
        ({"num_clusters": 6}, "5 different rows of 5 cannot make num_clusters=6"),
        ({"features": np.ones((5, 2))}, "1 different rows of 5 cannot"),
        ({"features": [[1.0, 2.0], [np.nan, 0.0], [3.0, 4.0]]}, "features: row 1 of 3 holds NaN"),
        ({"features": np.full((5, 2), np.inf)}, "features: row 0 of 5 holds NaN, infinity"),
        ({"features": np.full((5, 2), 1e30)}, "beyond 1e[+]15"),
        ({"features": np.ones((0, 2))}, "features: expected a matrix"),
        ({"features": np.ones(5)}, "features: expected a matrix"),
        ({"features": np.ones((5, 2), dtype=complex)}, "features: expected real numbers"),
        ({"init": np.ones((3, 2))}, r"init: expected \(2, 2\), got shape \(3, 2\)"),
        ({"init": np.full((2, 2), np.nan)}, "init: row 0 of 2 holds NaN"),
    ],
)
def test_bad_input_is_refused_with_the_reason(change, message):
    with pytest.raises(ClusteringError, match=message):
        kmeans(**{"features": people(5, dim=2), "num_clusters": 2, **change})


@pytest.mark.parametrize("settings", [{"num_clusters": 0}, {"num_clusters": 3, "max_iters": 0}])
def test_settings_out_of_range_are_refused_at_once(settings):
    with pytest.raises(ValueError, match="expected a whole number"):
        KMeans(**settings)
