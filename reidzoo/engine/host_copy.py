"""Copies a tensor to the host's memory; nothing waits for the copy until it is read."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["HostCopy"]


class HostCopy:
    """A tensor on its way to the host's memory; reading it waits for what was queued before the copy, not after.

    ``.cpu()``, ``.item()`` and ``float(tensor)`` make the host wait until the device has done all that it was given.
    This puts the copy into the queue and goes on. Looked at one step later, or at the end of the step whose beginning
    it was made at, it has long arrived. A tensor on the CPU is taken as it is.

    Args:
        tensor: on any device; without gradient.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        if tensor.device.type == "cuda":
            self._copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._copy.copy_(tensor.detach(), non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._copy = tensor.detach().cpu()

    def get(self) -> Tensor:
        """Return the copy, on the CPU, as soon as it has arrived."""
        if self._event is not None:
            self._event.synchronize()
            self._event = None
        return self._copy
