"""Searches for the nearest rows by tiles of float32 matrix products."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from reidzoo.neighbours.distances import exact_matmul
from reidzoo.neighbours.squared_distances import SquaredDistances

__all__ = ["TILE", "nearest_by_tiles", "pack", "unpack"]

TILE = 2048  # rows and columns of one tile of similarities: 16 MiB
GROUP = 16  # similarities that share one maximum in the search for candidates
LOW = 0xFFFFFFFF
EMPTY = torch.iinfo(torch.int64).min


def nearest_by_tiles(distances: SquaredDistances, k: int, farthest: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the ``k`` nearest rows to each of N distinct rows by float32 similarity, ties in the order of the index.

    The similarity is a.b less half the squared lengths, -|a - b|^2 / 2; under cosine a.b alone. Each tile of
    similarities serves both its rows and, transposed, its columns: half the multiplications.

    Args:
        distances: between N rows.
        k: at most N.
        farthest: whether the last of the three is wanted.

    Returns:
        indices int64 (N, k), each row itself first, similarities float32 (N, k), infinite for the row itself, and the
        least similarity of each row to another, float32 (N,), infinite where N is 1.
    """
    n = len(distances)
    best = torch.full((n + -n % GROUP, k), EMPTY, device=distances.device)
    floor = torch.full((len(best),), -torch.inf, dtype=torch.float32, device=distances.device)
    floor[n:] = torch.inf  # the spare rows find nothing
    least = None
    if farthest:
        least = torch.full((n,), torch.inf, dtype=torch.float32, device=distances.device)
    size = tile_rows(distances.device)
    buffer = torch.empty(min(size, len(best)) ** 2, dtype=torch.float32, device=distances.device)
    starts = range(0, n, size)
    with exact_matmul(distances.device):
        for start in starts:
            left = padded_tile(distances, start)
            tile = similarities(distances, left, left, buffer)
            tile.diagonal().fill_(torch.inf)
            update_least(least, tile, start, start)
            tile[:, n - start :] = -torch.inf
            if k <= len(tile):
                inside = slice(start, min(start + size, n))
                floor[inside] = tile[: n - start].topk(k, dim=1).values[:, -1]
            merge_tile(tile, best, floor, start, start)
        for start in starts:
            left = padded_tile(distances, start)
            for other in starts[start // size + 1 :]:
                tile = similarities(distances, left, padded_tile(distances, other), buffer)
                update_least(least, tile, start, other)
                tile[:, n - other :] = -torch.inf
                merge_tile(tile, best, floor, start, other)
                merge_tile(tile.T, best, floor, other, start)
    return *unpack(best[:n]), least


def tile_rows(device: torch.device) -> int:
    """Return the rows of a tile: on a GPU, where every tile costs some launches and waits, four times as many."""
    return TILE if device.type == "cpu" else 4 * TILE


def padded_tile(distances: SquaredDistances, start: int) -> tuple[Tensor, Tensor]:
    """Return ``distances.tile`` from ``start``, filled up with zeros to a number of rows that GROUP divides."""
    rows, squares = distances.tile(start, min(start + tile_rows(distances.device), len(distances)))
    spare = -len(rows) % GROUP
    if spare:
        rows, squares = pad(rows, (0, 0, 0, spare)), pad(squares, (0, spare))
    return rows, squares


def similarities(
    distances: SquaredDistances, left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor], buffer: Tensor
) -> Tensor:
    """Return the similarities (R, C) of two tiles' rows, in ``buffer``."""
    shape = (len(left[0]), len(right[0]))
    tile = torch.mm(left[0], right[0].T, out=buffer[: shape[0] * shape[1]].view(shape))
    if distances.metric == "euclidean":
        tile.sub_(left[1][:, None] / 2).sub_(right[1] / 2)
    return tile


def update_least(least: Tensor | None, tile: Tensor, row0: int, column0: int) -> None:
    """Lower ``least`` (N,), if it is wanted, to the similarities in the tile at (``row0``, ``column0``).

    Rows and columns past N only fill the tile up and do not count.
    """
    if least is None:
        return
    real = tile[: len(least) - row0, : len(least) - column0]
    for start, values in ((row0, real.amin(dim=1)), (column0, real.amin(dim=0))):
        part = least[start : start + len(values)]
        torch.minimum(part, values, out=part)


def merge_tile(tile: Tensor, best: Tensor, floor: Tensor, row0: int, column0: int) -> None:
    """Merge the tile of similarities at (``row0``, ``column0``) into ``best`` and ``floor`` of its rows."""
    rows, columns, values = candidates(tile, floor[row0 : row0 + len(tile)])
    if not len(rows):
        return
    keys = pack(values, columns + column0)
    changed, position = rows.unique_consecutive(return_inverse=True)
    changed += row0
    merged = torch.cat([best[changed], padded(position, keys, len(changed))], dim=1)
    best[changed] = merged.topk(best.shape[1], dim=1).values
    raise_floor(best, floor, changed)


def candidates(tile: Tensor, floor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what reaches its row's ``floor`` (R,) in ``tile`` (R, C): rows, rising, columns, and similarities.

    The tile, or its transpose, is contiguous, and GROUP divides C.
    """
    step = tile.shape[1] // GROUP
    rowwise = tile.is_contiguous()
    stored = tile if rowwise else tile.T
    # The members of a group lie ``step`` apart, so that the maximum runs over whole vectors.
    maxima = stored.unflatten(int(rowwise), (GROUP, step)).amax(dim=int(rowwise))
    maxima = maxima if rowwise else maxima.T
    rows, group = torch.nonzero(maxima >= floor[:, None], as_tuple=True)
    columns = group[:, None] + step * torch.arange(GROUP, device=tile.device)
    offset = (rows * tile.stride(0))[:, None] + columns * tile.stride(1)
    values = stored.flatten().index_select(0, offset.flatten()).view(offset.shape)  # faster than by rows and columns
    member, which = torch.nonzero(values >= floor[rows, None], as_tuple=True)
    return rows[member], columns[member, which], values[member, which]


def raise_floor(best: Tensor, floor: Tensor, rows: Tensor) -> None:
    """Set ``floor`` of ``rows`` to the least similarity that can still enter ``best`` there."""
    last = best[rows, -1]
    floor[rows] = torch.where(last == EMPTY, -torch.inf, unpack(last)[1])


def padded(rows: Tensor, keys: Tensor, height: int) -> Tensor:
    """Return the ``keys`` of each row (``rows`` rising, < height) in a matrix (height, most of a row), else EMPTY."""
    counts = torch.bincount(rows, minlength=height)
    column = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    matrix = torch.full((height, int(counts.max())), EMPTY, device=keys.device)
    matrix[rows, column] = keys
    return matrix


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
