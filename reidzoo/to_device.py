"""Copies arrays to the device without blocking."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["to_device"]


def to_device(values: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on ``device``; nothing waits for the copy.

    On CUDA it goes by way of page-locked memory, which torch keeps until the copy is done: a copy from ordinary memory
    makes the host wait until the device has done all that it was given.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
