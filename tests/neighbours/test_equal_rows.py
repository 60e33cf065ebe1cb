from __future__ import annotations

import numpy as np
import pytest

from reidzoo.neighbours import equal_rows as module
from reidzoo.neighbours.equal_rows import equal_rows
from reidzoo.neighbours.feature_table import FeatureTable


@pytest.mark.parametrize("count", [1, 300, 1000])
def test_finds_the_first_of_equal_rows(count):
    rng = np.random.default_rng(0)
    x = rng.integers(-1, 2, (count, 3)).astype(np.float32)
    x[x == 0] *= rng.choice([-1, 1], (x == 0).sum())  # -0.0 equals 0.0
    first, group = equal_rows(FeatureTable(x, "x"))
    want = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in x]
    assert first.tolist() == sorted(set(want))
    assert first[group].tolist() == want


def test_rows_equal_in_the_sampled_columns_alone_are_told_apart():
    x = np.ones((30, 400), dtype=np.float32)
    x[np.arange(30), 3 + np.arange(30) % 10] = 0.5  # columns that the first comparison skips
    first, group = equal_rows(FeatureTable(x, "x"))
    assert first.tolist() == list(range(10))
    assert group.tolist() == [i % 10 for i in range(30)]


def test_a_collision_of_sums_keeps_rows_apart(monkeypatch):
    monkeypatch.setattr(module, "hashed", lambda table, index, columns: np.zeros(len(index), dtype=np.int64))
    x = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    assert equal_rows(FeatureTable(x, "x"))[0].tolist() == list(range(20))
