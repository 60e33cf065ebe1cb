"""Compilation of the networks by torch.compile, for training alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from reidzoo.distributed import world_size
from reidzoo.errors import ConfigError

__all__ = ["compile_backbones"]


def compile_backbones(parts: nn.ModuleDict, mode: str) -> int:
    """Compile the forward pass of every ``backbone`` among the parts' modules; return how many there are.

    In evaluation mode a backbone stays as it is: batches of tests differ in size, and each size would be compiled.
    Names of weights stay as they are, and so does what is saved.

    Args:
        parts: the trainer's parts.
        mode: of ``torch.compile``. ``reduce-overhead`` records the kernels into CUDA graphs, so that a step costs the
            host a few launches instead of a thousand.

    Raises:
        ConfigError: several processes, whose batch norm cannot be compiled; or there is no backbone.
    """
    if world_size() > 1:
        raise ConfigError("SOLVER.COMPILE: batch norm over several processes is not compiled; set SOLVER.COMPILE ''")
    backbones = [module for name, module in parts.named_modules() if name.split(".")[-1] == "backbone"]
    if not backbones:
        raise ConfigError("SOLVER.COMPILE: no part has a module 'backbone' to compile; set SOLVER.COMPILE ''")
    for backbone in backbones:
        backbone.forward = _Compiled(backbone, mode)  # type: ignore[method-assign]
    return len(backbones)


class _Compiled:
    """A module's forward pass, compiled when the module is trained."""

    def __init__(self, module: nn.Module, mode: str) -> None:
        self.module, self.plain = module, module.forward
        self.compiled = torch.compile(module.forward, mode=None if mode == "default" else mode)

    def __call__(self, *inputs: Any) -> Any:
        return (self.compiled if self.module.training else self.plain)(*inputs)
