"""The process's switches for the precision of matrix products."""

from __future__ import annotations

import threading
from typing import Any

import torch

__all__ = ["MatmulSwitches"]


class MatmulSwitches:
    """Holds torch's switches for float32 matrix products at full precision for as long as any thread asks for it.

    They are the process's, not a thread's. If each thread put back what it found, one that leaves first would take the
    precision from one that is still at work, whose own find, the full precision, would then stay for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._before: list[tuple[Any, str]] = []
        self._legacy = "highest"

    def hold(self) -> None:
        """Set full precision; the first holder keeps what was set before."""
        with self._lock:
            if not self._holders:
                self._set()
            self._holders += 1

    def release(self) -> None:
        """Give up one hold; the last holder puts back what was set before the first."""
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._put_back()

    def _set(self) -> None:
        owners: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
        switches = [owner for owner in owners if hasattr(owner, "fp32_precision")]  # torch >= 2.9
        self._before = [(switch, switch.fp32_precision) for switch in switches]
        for switch in switches:
            switch.fp32_precision = "ieee"
        if not switches:
            self._legacy = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("highest")

    def _put_back(self) -> None:
        for switch, precision in self._before:
            switch.fp32_precision = precision
        if not self._before:
            torch.set_float32_matmul_precision(self._legacy)
