"""What the benchmarks share: measuring, synthetic features, the machine's description, and the figures as a file."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import platform
import threading
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

STATM = Path("/proc/self/statm")
SMALLEST = 1e6  # bytes; a peak below this is mostly the allocator's, and ratios with it would mean nothing


class Measurement(NamedTuple):
    """One timed call."""

    answer: Any
    seconds: float
    cpu: float
    peak: int
    """Bytes beyond those held before the call."""

    def figures(self) -> dict[str, float]:
        """Return what goes into the file."""
        return {"seconds": self.seconds, "cpu": self.cpu, "gigabytes": self.peak / 1e9}

    def line(self, name: str, note: str = "") -> str:
        """Return what is printed."""
        return f"{name:16} {self.seconds:9.3f} s  CPU {self.cpu:9.3f} s  {self.peak / 1e9:7.3f} GB  {note}".rstrip()


def resident_bytes() -> int:
    """Return the memory that this process holds now; 0 where the system does not tell."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if STATM.exists() else 0


def measured(function: Callable[[], Any]) -> Measurement:
    """Call ``function`` and return its answer, time, CPU time, and peak memory."""
    give_back_memory()
    before, peak, done = resident_bytes(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, start_cpu = time.perf_counter(), time.process_time()
    try:
        answer = function()
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        peak[0] = max(peak[0], resident_bytes())
    finally:
        done.set()
        watcher.join()
    return Measurement(answer, seconds, cpu, max(peak[0] - before, 0))


def give_back_memory() -> None:
    """Return what earlier work has freed to the system, so that it does not count as held before the call."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def memory_ratio(ours: Measurement, reference: Measurement) -> float:
    """Return how many times the memory of ours the reference takes."""
    return reference.peak / max(ours.peak, SMALLEST)


def camera_features(count: int, dim: int, ids: int, cameras: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return features float32 (count, dim), pids and camids of ``ids`` identities seen by ``cameras`` cameras."""
    shared, rng = np.random.default_rng(0), np.random.default_rng([1, seed])
    centres = shared.standard_normal((ids, dim), dtype=np.float32)
    shifts = shared.standard_normal((cameras, dim), dtype=np.float32)
    pids, camids = rng.integers(0, ids, count), rng.integers(0, cameras, count)
    features = rng.standard_normal((count, dim), dtype=np.float32)
    features *= 3.5
    for start in range(0, count, 1024):
        part = slice(start, start + 1024)
        features[part] += centres[pids[part]] + 0.5 * shifts[camids[part]]
    return features, pids, camids


def identity_features(images: int, dim: int, per_id: int, seed: int) -> torch.Tensor:
    """Return the features of ``labelled_features`` alone."""
    return labelled_features(images, dim, per_id, seed)[0]


def labelled_features(
    images: int, dim: int, per_id: int, seed: int, latent: int = 64
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return L2-normalised features (images, dim) of about ``per_id`` images an identity, some blurrier than others.

    The second tensor, int64 (images,), is their identities.
    """
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(max(images // per_id, 1), latent, generator=generator)
    ids = torch.randint(len(centres), (images,), generator=generator)
    view = torch.randn(latent, dim, generator=generator)
    features = torch.empty(images, dim)
    for rows, own in zip(features.split(1024), ids.split(1024)):
        blur = 0.6 + 0.8 * torch.rand(len(own), 1, generator=generator)
        inner = centres[own] + blur * torch.randn(len(own), latent, generator=generator)
        rows[:] = inner @ view + 0.5 * torch.randn(len(own), dim, generator=generator)
        rows /= rows.norm(dim=1, keepdim=True)
    return features, ids


def parser(description: str) -> ArgumentParser:
    """Return a parser with the options of every benchmark."""
    options = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    options.add_argument("--skip-reference", action="store_true", help="time ours only")
    options.add_argument("--json", type=Path, help="write the figures to this file, too")
    return options


def record(path: Path | None, title: str, ours: Measurement, **figures: Any) -> None:
    """Write the figures of one benchmark, if ``path`` is given.

    Args:
        path: the file.
        title: what was done, with its size.
        ours: our measurement.
        figures: ``reference`` (a Measurement), ``ratio``, ``memory_ratio``, ``agree`` (True or False), ``difference``
            (in words) and ``notes`` (a list of sentences), as far as there are any.
    """
    if path is None:
        return
    if "reference" in figures:
        figures["reference"] = figures["reference"].figures()
    values = {"title": title, "ours": ours.figures(), **figures}
    path.write_text(json.dumps(values, indent=1) + "\n")


def load_average() -> float | None:
    """Return the number of processes that ran or waited during the last minute, where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def machine() -> dict[str, str]:
    """Return what the machine is."""
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    model = platform.processor() or platform.machine()
    if cpuinfo.exists():
        fields = [line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line]
        model = next((value.strip() for key, value in fields if key.strip() == "model name"), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = f"{int(meminfo.read_text().split()[1]) / 1e6:.0f} GB" if meminfo.exists() else "unknown"
    return {
        "CPU": f"{model}, {cores} cores, {memory} of memory",
        "software": f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}",
        "threads": str(torch.get_num_threads()),
    }
