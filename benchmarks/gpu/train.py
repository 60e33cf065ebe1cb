"""Training rates of ours beside a bare loop."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from shared import (
    ARGS,
    Steps,
    base_yaml,
    config,
    device,
    fill_cache,
    free,
    is_cuda,
    left,
    make_trainer,
    rate,
    say,
    switches,
)
from torch import Tensor

from reidzoo.engine import build


def bare_step(
    case: str, precision: str, batch: int, classes: int, channels_last: bool = True, compiled: bool = False
) -> Callable[[], None]:
    """Return a step of a plain PyTorch loop with the same network, torch's own batch norm, and data on the device."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = bare_model(case, classes, layout)
    if compiled:
        model.backbone.compile()
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], 3.5e-4, weight_decay=5e-4, fused=True
    )
    height, width = config(base_yaml(case)).INPUT.SIZE
    images = [torch.randn(batch, 3, height, width, device=device()).contiguous(memory_format=layout) for _ in range(4)]
    pid = torch.arange(batch, device=device()) // 4
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        with torch.autocast(device().type, torch.bfloat16, enabled=precision == "bf16"):
            outputs = model(images[count % 4])
        loss = F.cross_entropy(outputs["logits"].float(), pid, label_smoothing=0.1) + triplet(
            outputs["feat"].float(), pid
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def triplet(feat: Tensor, pid: Tensor) -> Tensor:
    """Return the soft batch-hard triplet loss (Hermans et al., 2017) in its plain form."""
    distance = torch.cdist(feat, feat)
    same = pid[:, None] == pid[None]
    return F.softplus((distance - 1e9 * (~same)).amax(1) - (distance + 1e9 * same).amin(1)).mean()


def bare_model(case: str, classes: int, layout: torch.memory_format) -> Any:
    """Return the network of a case with torch's own batch norm, in training mode on the device."""
    keep, build.convert_batch_norm = build.convert_batch_norm, lambda model, group=0: model
    try:
        torch.manual_seed(0)
        model = build.build_model(config(base_yaml(case)), classes).to(device()).train()
    finally:
        build.convert_batch_norm = keep
    return model.to(memory_format=layout)


CASE = "r50ibn"


def put(found: dict, name: str, make: Callable[[], Callable[[], None]], reserve: float = 60, **flags: bool) -> None:
    """Measure what ``make`` builds and note it under ``name``; a failure is noted, too."""
    if left() < reserve and not ARGS.tiny:
        found[name] = "left out: no time"
        return
    warm, count = (1, 2) if ARGS.tiny else (8, 25)
    try:
        with switches(**flags):
            step = make()
            found[name] = rate(step, 16 if ARGS.tiny else 64, warm, count)
        del step
    except Exception:
        found[name] = {"traceback": traceback.format_exc(limit=5)}
    say("train", name, found[name])
    free()


def bare(precision: str, **options: bool) -> Callable[[], Callable[[], None]]:
    """Return what builds a step of the plain loop."""
    return lambda: bare_step(CASE, precision, 16 if ARGS.tiny else 64, 16 if ARGS.tiny else 128, **options)


def ours(precision: str, *opts: Any, case: str = CASE) -> Callable[[], Callable[[], None]]:
    """Return what builds a step of the trainer, its images decoded beforehand."""

    def make() -> Steps:
        trainer = make_trainer(case, "DATALOADER.CACHE", "on", "SOLVER.PRECISION", precision, *opts)
        fill_cache(trainer.loader.table)
        return Steps(trainer)

    return make


GRAPH = ("SOLVER.COMPILE", "graph")
ON_DEVICE = ("DATALOADER.CACHE", "device")


def train() -> dict:
    """Images per second of ours, cached images in memory, and of a bare loop, in one process, one after the other."""
    found: dict = {}
    put(found, "bare bf16", bare("bf16"))
    put(found, "ours bf16", ours("bf16"))
    put(found, "ours bf16, graph", ours("bf16", *GRAPH))
    put(found, "ours bf16, graph, cache on the device", ours("bf16", *GRAPH, *ON_DEVICE))
    put(found, "ours bf16, graph, cache on the device, benchmark", ours("bf16", *GRAPH, *ON_DEVICE), benchmark=True)
    if is_cuda():  # a CPU takes minutes for such a step
        put(found, "ours fp16, graph, cache on the device", ours("fp16", *GRAPH, *ON_DEVICE))
    put(found, "bare fp32", bare("fp32"))
    put(found, "ours fp32", ours("fp32"))
    group = ("MODEL.BN_GROUP", 4 if ARGS.tiny else 16)
    put(found, "ours bf16, BN_GROUP 16", ours("bf16", *group))
    put(found, "ours bf16, BN_GROUP 16, graph", ours("bf16", *group, *GRAPH))
    put(found, "ours bf16, 4 workers", ours("bf16", *GRAPH, "DATALOADER.NUM_WORKERS", 2 if ARGS.tiny else 4))
    for precision in ("bf16", "fp32"):
        a, b = found[f"ours {precision}"], found[f"bare {precision}"]
        if isinstance(a, dict) and isinstance(b, dict) and "img_s" in a and "img_s" in b:
            found[f"overhead {precision}"] = round(b["img_s"] / a["img_s"] - 1, 4)
            say(f"overhead {precision}: {100 * found[f'overhead {precision}']:.1f} %")
    return found


def compiled() -> dict:
    """The same with the backbone compiled by torch: kernels fused, and recorded into CUDA graphs."""
    found: dict = {}
    if ARGS.compile:
        put(found, "bare bf16, compiled backbone", bare("bf16", compiled=True), 90)
        put(found, "ours bf16, COMPILE reduce-overhead", ours("bf16", "SOLVER.COMPILE", "reduce-overhead"), 60)
        put(found, "ours bf16, COMPILE default", ours("bf16", "SOLVER.COMPILE", "default"), 60)
    return found
