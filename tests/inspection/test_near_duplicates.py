"""Pairs that are found through bands are those that comparing each with each finds."""

from __future__ import annotations

import numpy as np

from reidzoo.inspection.near_duplicates import FLAT, difference_hash, near_duplicates


def each_with_each(small, groups):
    """The definition, plainly."""
    grey = [
        [[float(p @ np.array([0.299, 0.587, 0.114], np.float32)) for p in row] for row in s.astype(np.float32)]
        for s in small
    ]
    bits = []
    for g in grey:
        across = [g[y][x + 1] - g[y][x] > FLAT for y in range(8) for x in range(8)]
        down = [g[y + 1][x] - g[y][x] > FLAT for y in range(8) for x in range(8)]
        bits.append(across + down)
    pairs = []
    for a in range(len(small)):
        for b in range(a + 1, len(small)):
            differing = sum(x != y for x, y in zip(bits[a], bits[b]))
            apart = np.abs(small[a].astype(float) - small[b].astype(float)).mean()
            if differing < 8 and apart <= 8 and groups[a] != groups[b]:
                pairs.append([a, b])
    return bits, pairs


def test_against_each_with_each():
    draw = np.random.default_rng(0)
    originals = draw.integers(0, 256, (12, 9, 9, 3))
    small = np.concatenate(
        [originals, *(originals + draw.normal(0, sigma, originals.shape) for sigma in (1, 3, 6, 12))]
    )
    small = small.round().clip(0, 255).astype(np.uint8)
    groups = draw.integers(0, 5, len(small))
    bits, pairs = each_with_each(small, groups)
    assert np.array_equal(difference_hash(small), np.array(bits))
    assert near_duplicates(small, groups).tolist() == pairs and 10 < len(pairs) < 100
    assert near_duplicates(small, np.zeros(len(small), int)).shape == (0, 2)
    assert len(near_duplicates(small, groups, most=5)) == 5
