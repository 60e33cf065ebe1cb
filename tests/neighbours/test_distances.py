"""The value of a pair must depend on its two vectors only: the tie rule of the ranking rests on it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.neighbours.distances import FeatureDistances, exact_matmul, far_centre
from reidzoo.neighbours.feature_table import FeatureTable


def values(query, gallery, metric):
    source = FeatureDistances(FeatureTable(query, "query_features"), FeatureTable(gallery, "gallery_features"), metric)
    block = source.new_block()
    rows = []
    for start in range(0, len(query), len(block)):
        source.fill(start, block)
        rows.append(block[: len(query) - start, : len(gallery)].clone())
    return torch.cat(rows).numpy(), source


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("dim", [1, 7, 100, 513])
def test_value_does_not_depend_on_place(metric, dim):
    rng = np.random.default_rng(dim)
    q, g = rng.random((70, dim), dtype=np.float32), rng.random((2200, dim), dtype=np.float32)
    want, _ = values(q, g, metric)
    rows, columns = rng.permutation(70), rng.permutation(2200)
    assert np.array_equal(values(q[rows], g[columns], metric)[0], want[rows][:, columns])
    # a gallery of another size, at another alignment
    assert np.array_equal(values(q[3:], g[1:301], metric)[0], want[3:, 1:301])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_duplicates_are_at_equal_distances(metric):
    rng = np.random.default_rng(0)
    g = rng.random((2600, 130), dtype=np.float32)
    copies = rng.integers(0, 40, 2600)
    got, _ = values(g[:50], g[copies], metric)
    for kind in range(40):
        column = got[:, copies == kind]
        assert (column == column[:, :1]).all()


def test_number_of_threads_changes_nothing():
    rng = np.random.default_rng(1)
    q, g = rng.random((40, 200), dtype=np.float32), rng.random((300, 200), dtype=np.float32)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one, _ = values(q, g, "cosine")
        torch.set_num_threads(2)
        assert np.array_equal(values(q, g, "cosine")[0], one)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_distances_are_right(metric):
    rng = np.random.default_rng(2)
    q, g = rng.standard_normal((20, 64)), rng.standard_normal((50, 64))
    got, source = values(q, g, metric)
    if metric == "cosine":
        want = 1 - (q @ g.T) / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(g, axis=1)
    else:
        want = np.linalg.norm(q[:, None] - g[None], axis=-1)
    assert np.abs(source.to_distance(got) - want).max() < 3e-6
    low, high = source.limits()
    assert low <= got.min() and got.max() <= high


def test_a_common_offset_does_not_eat_the_digits():
    rng = np.random.default_rng(3)
    q = (rng.standard_normal((20, 64)) + 3000).astype(np.float32)
    g = (rng.standard_normal((50, 64)) + 3000).astype(np.float32)
    got, source = values(q, g, "euclidean")
    want = np.linalg.norm(q[:, None].astype(float) - g[None], axis=-1)
    assert source.centre is not None
    assert np.abs(source.to_distance(got) - want).max() < 1e-4


@pytest.mark.parametrize(("centre", "far"), [(4.1, True), (3.9, False), (-4.1, True)])
def test_a_centre_is_far_beyond_four_times_the_rows_lengths_about_it(centre, far):
    found = far_centre(FeatureTable([[centre - 1.0, 0.0], [centre + 1.0, 0.0]], "x"))
    assert (found is not None) == far and (not far or found.tolist() == pytest.approx([centre, 0.0]))


def test_training_switches_do_not_reach_the_distances():
    rng = np.random.default_rng(4)
    q, g = rng.random((30, 256), dtype=np.float32), rng.random((40, 256), dtype=np.float32)
    want, _ = values(q, g, "cosine")
    before = torch.get_float32_matmul_precision()
    owners = (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None))
    try:
        torch.set_float32_matmul_precision("medium")
        switches = [getattr(owner, "fp32_precision", "") for owner in owners]  # of torch >= 2.9
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert np.array_equal(values(q, g, "cosine")[0], want)
        with exact_matmul(torch.device("cpu")):
            pass
        assert torch.get_float32_matmul_precision() == "medium"
        assert [getattr(owner, "fp32_precision", "") for owner in owners] == switches
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_large_gallery_gets_fewer_rows_a_block():
    class Wide(FeatureDistances):
        def __init__(self, count):
            self.num_gallery, self.device = count, torch.device("cpu")

    assert len(Wide(82_161).new_block()) == 512
    assert Wide(1_000_000).new_block().shape == (32, 1_001_472)
