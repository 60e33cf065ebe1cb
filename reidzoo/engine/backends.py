"""torch's switches that a stage sets: the search for fast convolutions, deterministic kernels."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
from yacs.config import CfgNode

__all__ = ["backends"]


@contextlib.contextmanager
def backends(cfg: CfgNode) -> Iterator[None]:
    """Set the switches that SOLVER.CUDNN_BENCHMARK and SOLVER.DETERMINISTIC name, and at the end put them back.

    Where neither is set nothing is touched. Deterministic kernels are torch's: an operation that has none raises a
    RuntimeError that names it. cuBLAS takes a workspace of fixed size for it (``CUBLAS_WORKSPACE_CONFIG``).
    """
    deterministic, benchmark = cfg.SOLVER.DETERMINISTIC, cfg.SOLVER.CUDNN_BENCHMARK
    if not (deterministic or benchmark):
        yield
        return
    cudnn = torch.backends.cudnn
    before = (cudnn.benchmark, cudnn.deterministic, torch.are_deterministic_algorithms_enabled())
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        cudnn.benchmark = benchmark and not deterministic  # it times kernels, and takes another one now and then
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            cudnn.deterministic = True
            torch.use_deterministic_algorithms(True)
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before[:2]
        torch.use_deterministic_algorithms(before[2])
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
