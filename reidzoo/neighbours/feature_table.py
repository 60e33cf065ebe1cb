"""A table of feature vectors, read tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from reidzoo.errors import EvaluationInputError
from reidzoo.neighbours.checks import as_device

__all__ = ["FeatureTable"]

SCAN_ROWS = 4096


class FeatureTable:
    """Holds rows of feature vectors: checked once, then read as float32 tiles, never copied as a whole.

    Attributes:
        dim: D, the length of a row.
        norms: float64 (N,), the Euclidean length of every row.
        device: where tiles are put.

    Args:
        features: (N, D) numpy array (a memory-mapped one too), torch tensor or nested list of real numbers.
        name: what the user called it, for error messages.
        device: torch device of the tiles.

    Raises:
        EvaluationInputError: not two-dimensional, empty, not real numbers, or NaN or infinite in float32; or no such
            device.
    """

    def __init__(self, features: Any, name: str, device: str | torch.device = "cpu") -> None:
        matrix = _as_matrix(features, name)
        self.name, self.device = name, as_device(device)
        self.dim = int(matrix.shape[1])
        self._parts, self._starts = [matrix], np.array([0, len(matrix)])
        self.norms = self._scan()

    @classmethod
    def joined(cls, tables: Sequence[FeatureTable], name: str) -> FeatureTable:
        """Return the rows of several tables, one after the other, without copying or checking them again.

        Raises:
            EvaluationInputError: the tables differ in D.
        """
        first = tables[0]
        for table in tables[1:]:
            if table.dim != first.dim:
                raise EvaluationInputError(
                    f"{first.name} has {first.dim} values a row and {table.name} has {table.dim}: not the same model?"
                )
        joined = object.__new__(cls)
        joined.name, joined.device, joined.dim = name, first.device, first.dim
        joined._parts = [part for table in tables for part in table._parts]
        joined._starts = np.cumsum([0] + [len(part) for part in joined._parts])
        joined.norms = np.concatenate([table.norms for table in tables])
        return joined

    def __len__(self) -> int:
        """Return N, the number of rows."""
        return int(self._starts[-1])

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Return rows ``start`` to ``stop`` as float32 (stop - start, D); it may share memory with the input."""
        pieces = []
        for part, first in zip(self._parts, self._starts):
            begin, end = max(start - first, 0), min(stop - first, len(part))
            if begin < end:
                pieces.append(_as_float32(part[int(begin) : int(end)], self.device))
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def tile(self, start: int, size: int) -> torch.Tensor:
        """Return ``size`` rows from ``start`` as float32 (size, D); rows past the end are zero.

        A tile always has the same shape, because a matrix product's last bit may depend on the shape.
        """
        rows = self.rows(start, min(start + size, len(self)))
        if len(rows) == size:
            return rows
        padded = torch.zeros(size, self.dim, dtype=torch.float32, device=self.device)
        padded[: len(rows)] = rows
        return padded

    def gather(self, index: np.ndarray) -> torch.Tensor:
        """Return the rows at ``index``, int64 (n,), as a new float32 (n, D) tensor."""
        out = torch.empty(len(index), self.dim, dtype=torch.float32, device=self.device)
        for part, first in zip(self._parts, self._starts):
            positions = np.flatnonzero((index >= first) & (index < first + len(part)))
            if len(positions):
                rows = index[positions] - first
                picked = part[torch.from_numpy(rows).to(part.device)] if isinstance(part, torch.Tensor) else part[rows]
                out[torch.from_numpy(positions).to(self.device)] = _as_float32(picked, self.device)
        return out

    def midrange(self) -> torch.Tensor:
        """Return (smallest + greatest) / 2 of every column, float32 (D,): no order of summation."""
        low = torch.full((self.dim,), torch.inf, dtype=torch.float32, device=self.device)
        high = torch.full((self.dim,), -torch.inf, dtype=torch.float32, device=self.device)
        for start in range(0, len(self), SCAN_ROWS):
            rows = self.rows(start, min(start + SCAN_ROWS, len(self)))
            low, high = torch.minimum(low, rows.amin(0)), torch.maximum(high, rows.amax(0))
        return low / 2 + high / 2

    def lengths(self, centre: torch.Tensor | None) -> np.ndarray:
        """Return the rows' Euclidean lengths about ``centre``, float32 (D,), or zero; float64 (N,)."""
        return self.norms if centre is None else self._lengths(centre)

    def _lengths(self, centre: torch.Tensor | None) -> np.ndarray:
        # Pieces are small, to stay in the cache, and of one shape, so that equal rows have bit-equal lengths.
        size = min(max(65536 // self.dim, 1), len(self))
        lengths = torch.empty(len(self), dtype=torch.float64, device=self.device)
        for start in range(0, len(self), size):
            start = min(start, len(self) - size)
            rows = self.rows(start, start + size)
            rows = rows if centre is None else rows - centre
            lengths[start : start + size] = rows.double().square_().sum(1).sqrt_()
        return lengths.cpu().numpy()

    def _scan(self) -> np.ndarray:
        # Squares of float32 cannot overflow in float64, so a row is finite exactly when its length is.
        norms = self._lengths(None)
        bad = np.flatnonzero(~np.isfinite(norms))
        if len(bad):
            raise EvaluationInputError(
                f"{self.name}: row {bad[0]} holds NaN or infinity in float32 ({len(bad)} such rows of {len(self)}). "
                f"Find out which image or layer gives it; a ranking of such features would be meaningless."
            )
        return norms


def _as_matrix(features: Any, name: str) -> np.ndarray | torch.Tensor:
    matrix: np.ndarray | torch.Tensor
    if isinstance(features, torch.Tensor):
        matrix = features.detach()
        real = not (matrix.is_complex() or matrix.dtype == torch.bool)
    else:
        try:
            array = features if isinstance(features, np.ndarray) else np.asarray(features)
        except ValueError as error:
            raise EvaluationInputError(f"{name}: rows differ in length ({error}).") from None
        matrix, real = array, array.dtype.kind in "fiu"
    if matrix.ndim != 2:
        raise EvaluationInputError(f"{name} has shape {tuple(matrix.shape)}; expected (N, D), one row per image.")
    if matrix.shape[0] == 0:
        raise EvaluationInputError(f"{name} is empty: there is no image to rank.")
    if matrix.shape[1] == 0 or not real:
        raise EvaluationInputError(f"{name} of shape {tuple(matrix.shape)} and type {matrix.dtype} are not features.")
    return matrix


def _as_float32(rows: np.ndarray | torch.Tensor, device: torch.device) -> torch.Tensor:
    if isinstance(rows, torch.Tensor):
        return rows.to(device=device, dtype=torch.float32).contiguous()
    if rows.dtype == np.float32 and rows.flags.c_contiguous and rows.flags.writeable and rows.dtype.isnative:
        return torch.from_numpy(np.asarray(rows)).to(device)
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and the scan names its row
        return torch.from_numpy(np.array(rows, dtype=np.float32, order="C", subok=False)).to(device)
