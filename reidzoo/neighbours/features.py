"""Checks the features that are to be clustered, and L2-normalises them in float32."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from reidzoo.errors import ClusteringError

__all__ = ["as_matrix", "finite", "normalised"]

ROWS = 256  # rows checked at a time, through one small float64 buffer
LARGEST = 1e15  # the sum of some thousand squares of it is a float32


def normalised(features: Tensor | np.ndarray) -> Tensor:
    """Return ``features`` (N, D) L2-normalised, as a new contiguous float32 tensor on the same device.

    Norms are taken in float64 after division by the row's largest magnitude, so that no finite row overflows.

    Raises:
        ClusteringError: not a matrix of real numbers, no rows, no columns, NaN or infinite values, or a row of zeros,
            which has no direction and so no cosine distance to anything.
    """
    tensor = as_matrix(features, "features")
    out = torch.empty(tensor.shape, dtype=torch.float32, device=tensor.device)
    buffer = torch.empty((ROWS, tensor.shape[1]), dtype=torch.float64, device=tensor.device)
    for start in range(0, len(tensor), ROWS):
        rows = buffer[: len(tensor) - start].copy_(tensor[start : start + ROWS])
        largest = torch.linalg.vector_norm(rows, torch.inf, dim=1, keepdim=True)
        bad = torch.nonzero(~torch.isfinite(largest[:, 0]) | (largest[:, 0] == 0))
        if len(bad):
            row = int(bad[0])
            content = "only zeros" if float(largest[row]) == 0 else "a NaN or infinite value"
            raise ClusteringError(
                f"features: row {start + row} of {len(tensor)} holds {content}. Look at the model that made it: "
                f"training may have diverged, or the image may be unreadable."
            )
        rows /= largest
        rows /= torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        rows += 0.0  # turns -0.0 into 0.0, so that equal rows are equal bit by bit
        out[start : start + ROWS] = rows
    return out


def finite(features: Tensor | np.ndarray, name: str) -> Tensor:
    """Return ``features`` (N, D) as they are, as a contiguous float32 tensor on the same device.

    Raises:
        ClusteringError: not a matrix of real numbers, no rows, no columns, NaN or infinite values, or values whose
            squares leave float32's range.
    """
    tensor = as_matrix(features, name).to(torch.float32).contiguous()
    for start in range(0, len(tensor), ROWS):
        largest = torch.linalg.vector_norm(tensor[start : start + ROWS], torch.inf, dim=1)
        bad = torch.nonzero(~(largest < LARGEST))
        if len(bad):
            row = start + int(bad[0])
            raise ClusteringError(
                f"{name}: row {row} of {len(tensor)} holds NaN, infinity, or a number beyond {LARGEST:g}. Look at the "
                f"model that made it: training may have diverged, or the image may be unreadable."
            )
    return tensor


def as_matrix(features: Tensor | np.ndarray, name: str) -> Tensor:
    """Return ``features`` as a tensor that shares their memory where it can.

    Raises:
        ClusteringError: not a matrix of real numbers, no rows, or no columns.
    """
    if isinstance(features, np.ndarray) and min(features.strides, default=0) < 0:
        features = features.copy()  # torch takes no negative strides
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch warns of what it may not write, such as memory maps
            tensor = torch.as_tensor(features).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ClusteringError(f"{name}: expected a matrix (N, D) of real numbers; {error}") from None
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise ClusteringError(f"{name}: expected a matrix (N, D) with N, D >= 1, got shape {tuple(tensor.shape)}")
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise ClusteringError(f"{name}: expected real numbers, got {tensor.dtype}")
    return tensor
