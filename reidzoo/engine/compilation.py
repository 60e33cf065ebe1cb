"""Backbones made faster in training: kernels recorded by CUDA graphs, or compiled by torch.compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from reidzoo.distributed import world_size
from reidzoo.engine.graphed_forward import GraphedForward
from reidzoo.errors import ConfigError

__all__ = ["compile_backbones", "nothing_compiled"]

_skipped: list[None] = []


def compile_backbones(parts: nn.ModuleDict, mode: str) -> list[Any]:
    """Compile or record the forward pass of every ``backbone`` among the parts' modules; return what does it.

    In evaluation mode a backbone stays as it is: batches of tests differ in size, and each size would be compiled.
    Names of weights stay as they are, and so does what is saved.

    Args:
        parts: the trainer's parts.
        mode: ``graph`` records the kernels as they are, see ``GraphedForward``; another is torch.compile's.

    Raises:
        ConfigError: several processes, whose batch norm cannot be compiled; or there is no backbone.
    """
    if world_size() > 1:
        raise ConfigError("SOLVER.COMPILE: several processes, whose batch norm is not compiled; set SOLVER.COMPILE ''")
    backbones = [module for name, module in parts.named_modules() if name.split(".")[-1] == "backbone"]
    if not backbones:
        raise ConfigError("SOLVER.COMPILE: no part has a module 'backbone' to compile; set SOLVER.COMPILE ''")
    if _skipped:
        return []
    made = [GraphedForward(b) if mode == "graph" else _Compiled(b, mode) for b in backbones]
    for backbone, forward in zip(backbones, made):
        backbone.forward = forward
    return made


@contextmanager
def nothing_compiled() -> Iterator[None]:
    """Make ``compile_backbones`` check its arguments and compile nothing inside the block: compiling takes minutes."""
    _skipped.append(None)
    try:
        yield
    finally:
        _skipped.pop()


class _Compiled:
    """A module's forward pass, compiled when the module is trained."""

    def __init__(self, module: nn.Module, mode: str) -> None:
        self.module, self.plain = module, module.forward
        self.compiled = torch.compile(module.forward, mode=None if mode == "default" else mode)

    def begin_step(self) -> None:
        """Mark what earlier steps returned as no longer needed: its memory belongs to a CUDA graph."""
        torch.compiler.cudagraph_mark_step_begin()

    def __call__(self, *inputs: Any) -> Any:
        return (self.compiled if self.module.training else self.plain)(*inputs)
