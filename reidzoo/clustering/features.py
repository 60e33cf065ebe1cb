"""Features as the clustering wants them: checked, L2-normalised, float32."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.clustering.errors import ClusteringError

ROWS = 256  # rows checked at a time, so that the float64 copies stay small


def normalised(features: Tensor | np.ndarray) -> Tensor:
    """Return ``features`` (N, D) L2-normalised, as a new contiguous float32 tensor on the same device.

    Norms are taken in float64 after division by the row's largest magnitude, so that no finite row overflows.

    Raises:
        ClusteringError: not a matrix of real numbers, no rows, no columns, NaN or infinite values, or a row of zeros,
            which has no direction and so no cosine distance to anything.
    """
    tensor = torch.as_tensor(features).detach()
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise ClusteringError(f"features: expected a matrix (N, D) with N, D >= 1, got shape {tuple(tensor.shape)}")
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise ClusteringError(f"features: expected real numbers, got {tensor.dtype}")
    out = torch.empty(tensor.shape, dtype=torch.float32, device=tensor.device)
    for start in range(0, len(tensor), ROWS):
        rows = tensor[start : start + ROWS].double()
        largest = rows.abs().amax(dim=1, keepdim=True)
        bad = torch.nonzero(~torch.isfinite(largest[:, 0]) | (largest[:, 0] == 0))
        if len(bad):
            row = int(bad[0])
            what = "only zeros" if float(largest[row]) == 0 else "a NaN or infinite value"
            raise ClusteringError(
                f"features: row {start + row} of {len(tensor)} holds {what}. Look at the model that made it: "
                f"training may have diverged, or the image may be unreadable."
            )
        rows = rows / largest
        # Adding zero turns -0.0 into 0.0, so that equal rows are equal bit by bit.
        out[start : start + ROWS] = rows / rows.norm(dim=1, keepdim=True) + 0.0
    return out
