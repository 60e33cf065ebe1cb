"""Tells whether two models give the same embeddings, whatever else their files say."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from yacs.config import CfgNode

from reidzoo.engine.build import final_interpolation, final_size

__all__ = ["fingerprint"]

ORIGINS = ("pretrained", "WEIGHTS")
"""Keys that say where weights came from before training."""


def fingerprint(module: nn.Module, config: CfgNode) -> str:
    """Return the SHA-256 of what a model's embeddings follow from.

    These are its weights, the nodes that build it, and how images are prepared and embedded. Its name, figures and
    calibration are not, nor is the file that they come in: a run and the file that was exported of it are one model,
    unless the file keeps the weights in half precision.

    Args:
        module: a MODEL without classifier.
        config: the configuration that built it.
    """
    built = {key: _without_origins(config[key]) for key in ("MODEL", "BACKBONE", "HEAD")}
    prepared = [final_size(config), final_interpolation(config), config.INPUT.MEAN, config.INPUT.STD]
    embedded = [config.TEST.FLIP, config.SOLVER.PRECISION]
    digest = hashlib.sha256(json.dumps([built, prepared, embedded], sort_keys=True, default=str).encode())
    unused = (*getattr(module, "training_only", ()), "*num_batches_tracked")
    for name, tensor in sorted(module.state_dict().items()):
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in unused):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _without_origins(value: Any) -> Any:
    """Return a plain copy in which nothing names weights to start from."""
    if isinstance(value, Mapping):
        return {key: _without_origins(child) for key, child in value.items() if key not in ORIGINS}
    return [_without_origins(child) for child in value] if isinstance(value, (list, tuple)) else value
