"""Distances between queries and a gallery, computed in blocks.

Every product is one of tiles of the same shape (a short tile is filled up with zeros), so that the value of a pair does
not depend on the position of an image in the gallery, nor on the number of processes. Two images with bit-equal
features are then at bit-equal distances, which the tie rule of the ranking rests on. tests/neighbours/test_distances.py
checks it for the BLAS at hand.
"""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch

from reidzoo.errors import EvaluationInputError
from reidzoo.neighbours.checks import check_choice
from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.neighbours.matmul_switches import MatmulSwitches

__all__ = ["METRICS", "TILE", "DistanceSource", "FeatureDistances", "check_range", "exact_matmul", "far_centre"]

TILE = 2048
BLOCK_BYTES = 192 * 1024 * 1024
ON_DEVICE = 8
"""How many times as wide a tile, and as large a block, is on a GPU, where a launch costs as much as a small product."""
METRICS = ("cosine", "euclidean")
SWITCHES = MatmulSwitches()


class DistanceSource(ABC):
    """Gives the values by which a gallery is ranked: a strictly increasing function of a distance, in float32.

    Attributes:
        num_queries: Q.
        num_gallery: G.
        device: where blocks live.
        metric: the name of the distance, for the record.
    """

    num_queries: int
    num_gallery: int
    device: torch.device
    metric: str

    @abstractmethod
    def fill(self, start: int, out: torch.Tensor) -> None:
        """Write the values of queries ``start``, ``start + 1``, ... into ``out``, float32 (rows, padded width).

        Columns from ``num_gallery`` on, and rows past the last query, may hold anything but NaN.
        """

    @abstractmethod
    def limits(self) -> tuple[float, float]:
        """Return two values between which those of all pairs lie."""

    def to_distance(self, values: np.ndarray) -> np.ndarray:
        """Return the distances, float64, that ``values`` stand for."""
        return np.asarray(values, dtype=np.float64)

    @property
    def tile(self) -> int:
        """How many columns one product gives."""
        return TILE if self.device.type == "cpu" else TILE * ON_DEVICE

    def new_block(self) -> torch.Tensor:
        """Return an empty block for ``fill``: as many rows as fit 192 MiB, on a GPU 1.5 GiB (16 to 512 of them)."""
        width = -(-self.num_gallery // self.tile) * self.tile
        rows, most = 512, BLOCK_BYTES * (self.tile // TILE)
        while rows > 16 and rows * width * 4 > most:
            rows //= 2
        return torch.empty(rows, width, dtype=torch.float32, device=self.device)


class FeatureDistances(DistanceSource):
    """Cosine or Euclidean distances between feature vectors, by tiled float32 matrix products.

    ``cosine``: the value is -cos(q, g), the distance 1 - cos(q, g). ``euclidean``: the value is the squared distance
    |q|^2 + |g|^2 - 2 q.g, taken about the gallery's centre where that is far from the origin, so that a common offset
    does not eat the digits.

    Args:
        query: Q rows.
        gallery: G rows of the same length.
        metric: ``cosine`` or ``euclidean``.

    Raises:
        EvaluationInputError: lengths differ, a row of length zero under cosine, or features beyond float32's range.
    """

    def __init__(self, query: FeatureTable, gallery: FeatureTable, metric: str = "cosine") -> None:
        check_choice(metric, "metric", METRICS)
        if query.dim != gallery.dim:
            raise EvaluationInputError(
                f"{query.name} has {query.dim} values a row and {gallery.name} has {gallery.dim}: not the same model?"
            )
        self.num_queries, self.num_gallery = len(query), len(gallery)
        self.device, self.metric = gallery.device, metric
        self._query, self._gallery = query, gallery
        self.centre: torch.Tensor | None = None
        for table in (query, gallery):
            check_range(table, metric)
        if metric == "cosine":
            scale = 1.0 / gallery.norms
        else:
            self.centre = far_centre(gallery)
            scale = gallery.lengths(self.centre) ** 2
            self._query_norms = query.lengths(self.centre)
        self._columns = torch.from_numpy(np.pad(scale, (0, -len(scale) % self.tile)).astype(np.float32)).to(self.device)

    def fill(self, start: int, out: torch.Tensor) -> None:
        """Write -cos (cosine) or squared distances (euclidean); see the base class."""
        rows, constants = self._query_rows(start, len(out))
        with exact_matmul(self.device):
            for first in range(0, self.num_gallery, self.tile):
                part = out[:, first : first + self.tile]
                tile = self._gallery.tile(first, self.tile)
                if self.centre is not None:
                    tile = tile - self.centre
                torch.mm(rows, tile.T, out=part)
                if constants is None:
                    part.mul_(self._columns[first : first + self.tile])
                else:
                    part.add_(self._columns[first : first + self.tile]).add_(constants)

    def limits(self) -> tuple[float, float]:
        """Return the least and the greatest value that two rows of these lengths can have."""
        if self.metric == "cosine":
            return -1.0, 1.0
        reach = float(self._query_norms.max()) + float(self._columns.max()) ** 0.5
        return 0.0, reach**2

    def to_distance(self, values: np.ndarray) -> np.ndarray:
        """Return 1 - cos, or the Euclidean distance."""
        values = np.asarray(values, dtype=np.float64)
        return 1.0 + values if self.metric == "cosine" else np.sqrt(np.maximum(values, 0.0))

    def _query_rows(self, start: int, size: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        stop = min(start + size, self.num_queries)
        tile = self._query.tile(start, size)
        if self.metric == "cosine":
            factors = np.zeros(size)
            factors[: stop - start] = -1.0 / self._query.norms[start:stop]
            return tile * torch.from_numpy(factors).to(self.device, torch.float32)[:, None], None
        if self.centre is not None:
            tile = tile - self.centre
        constants = np.zeros(size)
        constants[: stop - start] = self._query_norms[start:stop] ** 2
        return tile * -2.0, torch.from_numpy(constants).to(self.device, torch.float32)[:, None]


@contextlib.contextmanager
def exact_matmul(device: torch.device) -> Iterator[None]:
    """Hold matrix products at true float32, whatever TF32, bf16 or autocast setting training left behind.

    Several threads may do so at a time; the settings come back when the last of them leaves.
    """
    SWITCHES.hold()
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        SWITCHES.release()


def check_range(table: FeatureTable, metric: str) -> None:
    """Complain about rows whose distances float32 cannot hold.

    Raises:
        EvaluationInputError: a zero row under cosine, or lengths beyond 1e18 or (apart from zero) below 1e-15.
    """
    norms = table.norms
    if metric == "cosine" and not norms.all():
        row = int(np.flatnonzero(norms == 0)[0])
        raise EvaluationInputError(
            f"{table.name}: row {row} is all zeros and has no direction, so it has no cosine; fix it, or use "
            f"metric='euclidean'."
        )
    least = norms.min() if metric == "cosine" else norms.max()
    if norms.max() > 1e18 or 0 < least < 1e-15:
        raise EvaluationInputError(
            f"{table.name}: rows of length {norms.min():.3g} to {norms.max():.3g} leave float32's range when "
            f"multiplied; scale the features."
        )


def far_centre(table: FeatureTable) -> torch.Tensor | None:
    """Return the rows' midrange, float32 (D,), if it is over four times as long as the rows about it; else None.

    The answer does not depend on the order of the rows.
    """
    centre = table.midrange()
    spread = (math.fsum(table.lengths(centre) ** 2) / len(table)) ** 0.5
    return centre if float(centre.double().norm()) > 4 * spread else None
