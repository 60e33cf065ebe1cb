"""Makes new tensors on the CPU, whatever a program says of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["on_cpu"]


@contextmanager
def on_cpu() -> Iterator[None]:
    """Make new tensors on the CPU meanwhile, whatever ``torch.set_default_device`` or ``with torch.device`` says.

    What takes a device names it, and what does not is the host's. Also a decorator, ``@on_cpu()``.
    """
    if torch.empty(0).device.type == "cpu":
        yield
        return
    with torch.device("cpu"):
        yield
