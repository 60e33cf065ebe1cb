"""Exact k nearest neighbours by blocks, without an N x N matrix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from reidzoo.clustering.features import normalised

TILE = 2048  # rows and columns of one block of similarities: 16 MiB
GROUP = 16  # similarities that share one maximum in the search for candidates
LOW = 0xFFFFFFFF
EMPTY = torch.iinfo(torch.int64).min


def nearest_neighbours(features: Tensor | np.ndarray, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` nearest rows to each row by cosine similarity, exactly.

    A row's first neighbour is always itself; the others follow by (similarity falling, index rising), so that ties do
    not depend on the order of the work. Equal rows are recognised before any rounding and tie exactly.
    Each block of similarities serves both its rows and, transposed, its columns: half the multiplications.

    Args:
        features: (N, D) on any device; the work is done there.
        k: neighbours to find, the row itself included; capped at N.

    Returns:
        ``(indices, similarities)``: int64 and float32, both (N, min(k, N)), on the device of ``features``.

    Raises:
        ClusteringError: see ``reidzoo.clustering.features.normalised``.
    """
    return neighbours_of_normalised(normalised(features), k)


def neighbours_of_normalised(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Do the work of ``nearest_neighbours`` for rows that are float32 and L2-normalised already."""
    k = min(k, len(features))
    first, group = equal_rows(features)
    with full_precision():
        if len(first) == len(features):
            keys = top_keys(features, k)
        else:
            keys = spread_to_members(top_keys(features[first], min(k, len(first))), first, group, k)
    indices, similarities = unpack(keys)
    return indices, similarities.masked_fill(similarities.isinf(), 1.0)  # the row itself and its equals


@contextmanager
def full_precision() -> Iterator[None]:
    """Let products of float32 be computed in float32, whatever the run allows its model, and afterwards as before."""
    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # torch before 2.9
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
        return
    backends = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]
    allowed = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, allowed):
            backend.fp32_precision = precision


def equal_rows(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return each distinct row's first index (U,), rising, and for every row the position of its own in that list.

    Rows are compared through 64-bit sums, of a few columns and then of all, and last bit by bit; two different rows of
    one sum stay apart.
    """
    n, width = features.shape
    bits = features.view(torch.int32)
    few = torch.linspace(0, width - 1, min(width, 16)).long()
    owner = first_of_equal(hashed(bits[:, few.to(bits.device)]))
    everyone = np.arange(n)
    if (owner != everyone).any():
        suspects = np.flatnonzero(np.isin(owner, owner[owner != everyone]))
        owner = everyone.copy()
        owner[suspects] = suspects[first_of_equal(hashed(bits[torch.from_numpy(suspects)]))]
    for rows in np.array_split(np.flatnonzero(owner != everyone), n // 256 + 1):
        same = (bits[torch.from_numpy(rows)] == bits[torch.from_numpy(owner[rows])]).all(dim=1).cpu().numpy()
        owner[rows[~same]] = rows[~same]
    first, group = np.unique(owner, return_inverse=True)
    return torch.from_numpy(first), torch.from_numpy(group.reshape(-1))


def hashed(bits: Tensor) -> np.ndarray:
    """Return one int64 for each row of int32 ``bits`` (N, D), alike for equal rows."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (bits.shape[1],), generator=generator).to(bits.device) * 2 + 1
    return torch.cat([(part * factors).sum(dim=1) for part in bits.split(256)]).cpu().numpy()


def first_of_equal(values: np.ndarray) -> np.ndarray:
    """Return for each of ``values`` (N,) the index of the first that equals it."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)]


def top_keys(features: Tensor, k: int) -> Tensor:
    """Return the packed keys (N, k) of each row's nearest rows, nearest first, itself foremost; no rows are equal."""
    n = len(features)
    spare = -n % GROUP
    blocks = list(features.split(TILE))
    blocks[-1] = torch.cat([blocks[-1], features.new_zeros(spare, features.shape[1])])
    best = torch.full((n + spare, k), EMPTY, device=features.device)
    floor = torch.full((n + spare,), -torch.inf, device=features.device)
    floor[n:] = torch.inf  # the spare rows find nothing
    buffer = torch.empty(len(blocks[0]) ** 2, device=features.device)
    for i, left in enumerate(blocks):
        start = i * TILE
        tile = products(left, left, buffer)
        tile.diagonal().fill_(torch.inf)
        tile[:, max(n - start, 0) :] = -torch.inf
        if k <= len(tile):
            inside = slice(start, min(start + TILE, n))
            floor[inside] = tile[: n - start].topk(k, dim=1).values[:, -1]
        take(tile, best, floor, start, start)
    for i, left in enumerate(blocks):
        for j, right in enumerate(blocks[i + 1 :], i + 1):
            tile = products(left, right, buffer)
            tile[:, n - j * TILE :] = -torch.inf
            take(tile, best, floor, i * TILE, j * TILE)
            take(tile.T, best, floor, j * TILE, i * TILE)
    return best[:n]


def products(left: Tensor, right: Tensor, buffer: Tensor) -> Tensor:
    """Return the inner products (R, C) of the rows of ``left`` and ``right``, in ``buffer``."""
    return torch.mm(left, right.T, out=buffer[: len(left) * len(right)].view(len(left), len(right)))


def take(tile: Tensor, best: Tensor, floor: Tensor, row0: int, column0: int) -> None:
    """Merge a tile of similarities into ``best`` and ``floor`` of its rows."""
    rows, columns = candidates(tile, floor[row0 : row0 + len(tile)])
    if not len(rows):
        return
    keys = pack(tile[rows, columns], columns + column0)
    hit, position = rows.unique_consecutive(return_inverse=True)
    hit += row0
    merged = torch.cat([best[hit], padded(position, keys, len(hit), 0)], dim=1)
    best[hit] = merged.topk(best.shape[1], dim=1).values
    raise_floor(best, floor, hit)


def candidates(tile: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Return the places in ``tile`` (R, C) that reach their row's ``floor`` (R,): rows, rising, and columns.

    GROUP divides C.
    """
    step = tile.shape[1] // GROUP
    # The members of a group lie `step` apart, so that the maximum runs over whole vectors.
    if tile.is_contiguous():
        maxima = tile.unflatten(1, (GROUP, step)).amax(dim=1)
    else:
        maxima = tile.T.unflatten(0, (GROUP, step)).amax(dim=0).T
    rows, group = torch.nonzero(maxima >= floor[:, None], as_tuple=True)
    columns = group[:, None] + step * torch.arange(GROUP, device=tile.device)
    member, which = torch.nonzero(tile[rows[:, None], columns] >= floor[rows, None], as_tuple=True)
    return rows[member], columns[member, which]


def raise_floor(best: Tensor, floor: Tensor, rows: Tensor | slice) -> None:
    """Set ``floor`` of ``rows`` to the least similarity that can still enter ``best`` there."""
    last = best[rows, -1]
    floor[rows] = torch.where(last == EMPTY, -torch.inf, unpack(last)[1])


def pack(similarities: Tensor, indices: Tensor) -> Tensor:
    """Return int64 keys whose order is (similarity rising, index falling): the largest key is the nearest row."""
    bits = similarities.contiguous().view(torch.int32)
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    return (ordered << 32) + (LOW - indices)


def unpack(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return the indices and the similarities that ``pack`` made ``keys`` of."""
    ordered = (keys >> 32).int()
    bits = torch.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered)
    return LOW - (keys & LOW), bits.view(torch.float32)


def spread_to_members(keys: Tensor, first: Tensor, group: Tensor, k: int) -> Tensor:
    """Turn the keys (U, k') between distinct rows into keys (N, k) between all rows, equal ones included.

    Args:
        keys: each distinct row's nearest distinct rows, as ``top_keys`` gives them.
        first: (U,) index of each distinct row.
        group: (N,) position in ``first`` of every row's own.
        k: neighbours wanted of the N rows.
    """
    group = group.to(keys.device)
    members = group.argsort(stable=True)
    counts = torch.bincount(group, minlength=len(first))
    starts = counts.cumsum(0) - counts
    counts = counts.clamp(max=k)  # nobody's k nearest hold more of one group than its k smallest indices
    lists = torch.empty((len(first), k), dtype=torch.int64, device=keys.device)
    for start in range(0, len(first), 1024):
        near, similarities = unpack(keys[start : start + 1024])
        taken = counts[near].flatten()
        rows = torch.arange(len(near), device=keys.device).repeat_interleave(near.shape[1]).repeat_interleave(taken)
        offset = torch.arange(len(rows), device=keys.device) - (taken.cumsum(0) - taken).repeat_interleave(taken)
        indices = members[starts[near].flatten().repeat_interleave(taken) + offset]
        found = pack(similarities.flatten().repeat_interleave(taken), indices)
        lists[start : start + 1024] = padded(rows, found, len(near), k).topk(k, dim=1).values
    result = torch.empty((len(group), k), dtype=torch.int64, device=keys.device)
    for start in range(0, len(group), 1024):
        listed = lists[group[start : start + 1024]]
        itself = torch.arange(start, start + len(listed), device=keys.device)[:, None]
        others = torch.where(unpack(listed)[0] == itself, EMPTY, listed)
        own = pack(torch.full_like(itself, torch.inf, dtype=torch.float32), itself)
        # Put in front by hand: among equal rows the keys alone would let a smaller index come first.
        result[start : start + 1024] = torch.cat([own, others.topk(k - 1, dim=1).values], dim=1)
    return result


def padded(rows: Tensor, keys: Tensor, height: int, width: int) -> Tensor:
    """Return the ``keys`` of each row (``rows`` rising, < height) in a matrix, ``width`` wide or wider, else EMPTY."""
    counts = torch.bincount(rows, minlength=height)
    place = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    matrix = torch.full((height, max(width, int(counts.max()))), EMPTY, device=keys.device)
    matrix[rows, place] = keys
    return matrix
