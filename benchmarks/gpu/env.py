"""The machine: versions, and the rates of products and copies."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import torch
from shared import best_of, device, is_cuda, switches

import reidzoo


def env() -> dict:
    """Return the versions, the device, and its rates."""
    found = {
        "python": platform.python_version(), "torch": torch.__version__,
        "numpy": np.__version__, "cpu_count": os.cpu_count(), "threads": torch.get_num_threads(),
        "cudnn.benchmark": torch.backends.cudnn.benchmark, "cudnn.allow_tf32": torch.backends.cudnn.allow_tf32,
        "matmul.allow_tf32": torch.backends.cuda.matmul.allow_tf32, "load": os.getloadavg()[0],
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY"),
    }  # fmt: skip
    with contextlib.suppress(OSError):
        found["commit"] = subprocess.run(
            ["git", "-C", str(Path(reidzoo.__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
    if is_cuda():
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": properties.name, "gpu_gb": properties.total_memory / 1e9, "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(), "capability": torch.cuda.get_device_capability(),
        }  # fmt: skip
        x = torch.randn(8192, 8192, device=device())
        y = x.bfloat16()
        with switches(matmul_tf32=False):
            x @ x
            found["fp32_tflops"] = round(2 * 8192**3 / best_of(lambda: x @ x, 3) / 1e12, 1)
        y @ y
        found["bf16_tflops"] = round(2 * 8192**3 / best_of(lambda: y @ y, 5) / 1e12, 1)
        host = torch.empty(256 << 20, dtype=torch.uint8, pin_memory=True)
        found["h2d_pinned_gb_s"] = round(0.268 / best_of(lambda: host.to(device(), non_blocking=True), 3), 1)
        pageable = torch.zeros(256 << 20, dtype=torch.uint8)
        found["h2d_pageable_gb_s"] = round(0.268 / best_of(lambda: pageable.to(device()), 3), 1)
    return found
