"""Whether what saves time or memory learns the same: CUDA graphs, chunks, recomputation, half precision."""

from __future__ import annotations

import torch
import torch.distributed as dist
from shared import ARGS, Steps, device, fill_cache, free, is_cuda, make_trainer, peak_gb, say, switches

from reidzoo.models import GlobalBatchNorm

STEPS = 3
SGD = ("OPTIMIZERS.model.type", "SGD", "OPTIMIZERS.model.lr", "0.01")


def variants() -> dict:
    """Losses of a few steps and the weights after them, beside those of the plain step in float32; memory, too."""
    found: dict = {}
    batch = 16 if ARGS.tiny else 64
    group = ("MODEL.BN_GROUP", batch // 4)
    cases = {
        "graph": (("SOLVER.COMPILE", "graph"), ()),
        "graph, BN_GROUP": (("SOLVER.COMPILE", "graph", *group), group),
        "recompute": (("SOLVER.RECOMPUTE", "True"), ()),
        "chunks of two groups": (("SOLVER.CHUNK", batch // 2, *group), group),
        "chunks of one group": (("SOLVER.CHUNK", batch // 4, *group), group),
        "fp16": (("SOLVER.PRECISION", "fp16"), ("SOLVER.PRECISION", "fp32")),
        "bf16": (("SOLVER.PRECISION", "bf16"), ("SOLVER.PRECISION", "fp32")),
        "fp16, graph": (("SOLVER.PRECISION", "fp16", "SOLVER.COMPILE", "graph"), ("SOLVER.PRECISION", "fp16")),
    }
    if is_cuda():
        found |= synchronised()
        say("variants", "synchronised batch norm", found)
    with switches(conv_tf32=False, matmul_tf32=False):
        plain: dict = {}
        for name, (opts, beside) in cases.items():
            if beside not in plain:
                plain[beside] = run(*beside)
            found[name] = compare(run(*opts), plain[beside])
            say("variants", name, found[name])
    return found


def synchronised() -> dict:
    """Batch norm by the kernels for several processes, with a group of one, beside torch's own."""
    dist.init_process_group("nccl", store=dist.HashStore(), rank=0, world_size=1)
    found = {}
    try:
        for dtype in (torch.float32, torch.bfloat16):
            for layout in (torch.contiguous_format, torch.channels_last):
                kind = f"{str(dtype)[6:]}, {'NHWC' if layout is torch.channels_last else 'NCHW'}"
                found[f"synchronised batch norm, {kind}"] = synchronised_one(dtype, layout)
    finally:
        dist.destroy_process_group()
    return found


def synchronised_one(dtype: torch.dtype, layout: torch.memory_format) -> dict[str, float]:
    """Return the greatest differences of output, gradients and running statistics, relative to the greatest value."""
    maps = torch.randn(16, 32, 12, 6, device=device(), dtype=dtype).to(memory_format=layout)
    grad = torch.randn_like(maps)
    results = []
    for kernels in (False, True):
        norm = GlobalBatchNorm(32).to(device())
        given = maps.clone().requires_grad_()
        output = norm._by_kernels(given) if kernels else norm(given)
        grads = torch.autograd.grad(output, [given, norm.weight, norm.bias], grad)
        results.append([output, *grads, norm.running_mean, norm.running_var])
    names = ("output", "grad", "grad of weight", "grad of bias", "mean", "variance")
    pairs = zip(names, *results, strict=True)
    return {name: float((a.double() - b.double()).abs().max() / a.double().abs().max()) for name, a, b in pairs}


def run(*opts: object) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Return the losses (steps,), the weights in one vector, and the peak memory in GB."""
    trainer = make_trainer("r18" if ARGS.tiny else "r50ibn", *opts, *SGD)
    fill_cache(trainer.loader.table)
    free()
    step, losses = Steps(trainer), []
    for _ in range(STEPS):
        step()
        losses.append(sum(value.double() for value in trainer.scalars.values()).cpu())
    weights = torch.cat([p.detach().flatten().double().cpu() for p in trainer.parts.parameters()])
    return torch.stack(losses), weights, peak_gb() if is_cuda() else 0.0


def compare(one: tuple, other: tuple) -> dict[str, float]:
    """Return the greatest relative difference of the losses, that of the weights, and both peaks."""
    return {
        "loss": float(((one[0] - other[0]) / other[0]).abs().max()),
        "weights": float((one[1] - other[1]).norm() / other[1].norm()),
        "gb": one[2], "gb beside": other[2],
    }  # fmt: skip
