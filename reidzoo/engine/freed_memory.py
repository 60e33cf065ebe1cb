"""Lets the C library keep the memory that a step has freed."""

from __future__ import annotations

import ctypes
import os
import platform

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""``mallopt``'s numbers, of malloc.h."""


def keep_freed_memory() -> None:
    """Make glibc keep the memory that one step frees for the next one; do nothing where there is no glibc.

    By default large blocks go back to the system at once, and the next batch takes them anew, page by page, each
    zeroed: 8 to 10 % of a small network's training. Blocks of up to 64 MB (a batch of 64 images at 256 x 128 has 25)
    are kept, 2 GB in all. Settings of the environment, ``MALLOC_TRIM_THRESHOLD_`` and the like, stand.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    set_option = ctypes.CDLL(None).mallopt
    if set_option(M_MMAP_THRESHOLD, 64 << 20) or set_option(M_MMAP_THRESHOLD, 32 << 20):  # the most of older versions
        set_option(M_TRIM_THRESHOLD, 2**31 - 1)
