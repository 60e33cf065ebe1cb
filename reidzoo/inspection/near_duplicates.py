"""Finds images that look the same without comparing each with each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["difference_hash", "near_duplicates"]

BITS = 128
BANDS = 8
"""Two hashes that differ in fewer bits than there are bands are equal in one of them."""
FLAT = 2
"""Grey levels: a smaller step from one pixel to the next is none, so that the noise of a plain wall is not seen."""
LEVELS = 8.0
"""Mean difference of two small pictures, of 255, up to which they are one picture."""
TILE = 2048


def difference_hash(small: np.ndarray) -> np.ndarray:
    """Return the bits of pictures: which pixels are brighter than their left, and than their upper neighbour.

    The difference hash (dHash) of images, in both directions.

    Args:
        small: (N, 9, 9, 3) uint8.

    Returns:
        bool (N, 128).
    """
    grey = small.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    across = grey[:, :8, 1:] - grey[:, :8, :-1] > FLAT
    down = grey[:, 1:, :8] - grey[:, :-1, :8] > FLAT
    return np.concatenate([across.reshape(len(grey), 64), down.reshape(len(grey), 64)], axis=1)


def near_duplicates(small: np.ndarray, groups: np.ndarray, most: int = 100_000) -> np.ndarray:
    """Return pairs of images of different groups that look the same.

    They do if their hashes differ in fewer than 8 bits of 128, and their small pictures by 8 levels of 255 on average.
    Hashes are cut into 8 bands of 16 bits; only images that share a band are compared, in tiles.

    Args:
        small: (N, 9, 9, 3) uint8.
        groups: int (N,); pairs within a group are of no interest.
        most: where there are more pairs, the search ends with so many.

    Returns:
        int64 (P, 2), the lower row first, sorted and without repetition.
    """
    bits = difference_hash(small)
    signs = np.where(bits, 1.0, -1.0).astype(np.float32)
    bands = np.packbits(bits, axis=1).view(np.uint16)
    found: set[tuple[int, int]] = set()
    for band in range(BANDS):
        for rows in _buckets(bands[:, band]):
            if (groups[rows] == groups[rows[0]]).all():
                continue
            for left, right in _close_pairs(rows, signs, small, groups):
                found.update(zip(left.tolist(), right.tolist()))
                if len(found) >= most:
                    return np.array(sorted(found)[:most], np.int64)
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _buckets(keys: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows, in ascending order, of every key that two rows or more have."""
    order = np.argsort(keys, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        if len(rows) > 1:
            yield rows


def _close_pairs(
    rows: np.ndarray, signs: np.ndarray, small: np.ndarray, groups: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pairs among ``rows`` that are close and of different groups, tile by tile."""
    for top in range(0, len(rows), TILE):
        upper = rows[top : top + TILE]
        for start in range(top, len(rows), TILE):
            lower = rows[start : start + TILE]
            agreeing = signs[upper] @ signs[lower].T  # bits that agree less those that differ
            close = (agreeing > BITS - 2 * BANDS) & (groups[upper][:, None] != groups[lower][None])
            first, second = np.nonzero(close & (upper[:, None] < lower[None]))
            left, right = upper[first], lower[second]
            for begin in range(0, len(left), TILE):
                a, b = left[begin : begin + TILE], right[begin : begin + TILE]
                same = np.abs(small[a].astype(np.int16) - small[b]).mean((1, 2, 3)) <= LEVELS
                yield a[same], b[same]
