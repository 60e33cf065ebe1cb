"""Where a step waits for the device, and how much of a step the device works."""

from __future__ import annotations

import traceback
import warnings
from pathlib import Path

import torch
from shared import ARGS, Steps, fill_cache, free, is_cuda, make_trainer, say, timed
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiler

import reidzoo
from reidzoo.errors import UserError


def waits() -> dict:
    """List the places where a step waits for the device, by torch's own warnings."""
    if not is_cuda():
        return {"skipped": "needs CUDA"}
    found: dict = {}
    cases = {
        "cached": (), "2 workers": ("DATALOADER.NUM_WORKERS", 2), "graph": ("SOLVER.COMPILE", "graph"),
        "fp16": ("SOLVER.PRECISION", "fp16"), "cache on the device": ("DATALOADER.CACHE", "device"),
        "BN_GROUP": ("MODEL.BN_GROUP", 16),
    }  # fmt: skip
    for name, opts in cases.items():
        try:
            trainer = make_trainer("r50ibn", "DATALOADER.CACHE", "on", "SOLVER.PRECISION", "bf16", *opts)
        except UserError as error:
            found[name] = str(error)
            continue
        fill_cache(trainer.loader.table)
        step = Steps(trainer)
        for _ in range(3):
            step()
        places: dict[str, int] = {}

        def show(message, category, filename, lineno, file=None, line=None, places=places) -> None:  # noqa: ANN001
            where = place_of_ours() or "/".join(Path(filename).parts[-3:]) + f":{lineno}"
            places[where] = places.get(where, 0) + 1

        keep, warnings.showwarning = warnings.showwarning, show
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
            warnings.showwarning = keep
        found |= {f"{name}: {where}": count for where, count in sorted(places.items(), key=lambda item: -item[1])}
        found[f"{name}: in all"] = sum(places.values())
        say("waits in one step,", name, places)
        del trainer, step
        free()
    return found


def place_of_ours() -> str:
    """Return the innermost line of the package that is being executed, as ``folder/file.py:line``."""
    package = str(Path(reidzoo.__file__).parent)
    frames = [f for f in traceback.extract_stack() if f.filename.startswith(package)]
    return f"{frames[-1].filename[len(package) + 1 :]}:{frames[-1].lineno}" if frames else ""


def profile() -> dict:
    """Say how much of a step the device works, and on what; as it is, and with recorded kernels."""
    return {name: profile_one(*opts) for name, opts in {"plain": (), "graph": ("SOLVER.COMPILE", "graph")}.items()}


def profile_one(*opts: str) -> dict:
    """Profile some steps with the options."""
    trainer = make_trainer("r50ibn", "SOLVER.PRECISION", "bf16", "DATALOADER.CACHE", "on", *opts)
    fill_cache(trainer.loader.table)
    step = Steps(trainer)
    for _ in range(2 if ARGS.tiny else 8):
        step()
    count = 2 if ARGS.tiny else 10
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if is_cuda() else [])]
    with profiler(activities=activities) as run:
        seconds, _ = timed(lambda: [step() for _ in range(count)])
    kind = "self_device_time_total" if is_cuda() else "self_cpu_time_total"
    rows = sorted(run.key_averages(), key=lambda event: -getattr(event, kind))
    kernels = [r for r in rows if not is_cuda() or "cuda" in str(r.device_type).lower()]
    busy = sum(getattr(r, kind) for r in kernels) / 1e6
    found = {
        "step_ms_while_profiled": 1e3 * seconds / count,
        "device_ms": 1e3 * busy / count,
        "busy": round(busy / seconds, 3),
        "launches": sum(r.count for r in rows if r.key.startswith(("cudaLaunchKernel", "cuLaunchKernel"))) / count,
        "graph_launches": sum(r.count for r in rows if r.key.startswith("cudaGraphLaunch")) / count,
        "host_waits": sum(r.count for r in rows if "Synchronize" in r.key) / count,
        "top": [[r.key[:90], round(getattr(r, kind) / 1e3 / count, 3), r.count / count] for r in kernels[:20]],
    }  # fmt: skip
    say("profile", opts, {k: v for k, v in found.items() if k != "top"})
    return found
