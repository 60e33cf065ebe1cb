"""The part of a trainer that hooks and the engine may use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.datasets import TrainSet
from reidzoo.engine.loader import TrainLoader
from reidzoo.engine.optim import Optimizer
from reidzoo.engine.run_folder import StageFolder

__all__ = ["Runner"]


@runtime_checkable
class Runner(Protocol):
    """A trainer as its hooks see it; ``Trainer`` is one. Nothing else of a trainer is for hooks.

    Attributes:
        cfg: the stage's configuration, frozen.
        sets: name -> training set; change its labels through ``relabel`` only.
        loader: gives the batches.
        parts: every module with weights or buffers, by name: ``model``, the discriminators, the memories, ``losses``.
        model: ``parts["model"]``.
        extractor: what embeds the training images where they are clustered; the model, unless a trainer has several.
        losses: phase -> ``LossSet``.
        optims: name -> ``Optimizer``.
        clusterer: the CLUSTERER, or None.
        phase: the name of the phase; decides which step is taken.
        epoch, step, iter: complete epochs, complete steps of this epoch, complete steps in all.
        max_epochs: where it ends.
        scalars: what the last step returned.
        metrics: what the last evaluation found, ``{target: {mAP: ..., ...}}``.
        hooks: name -> hook, in the order in which they are called.
        output_dir, device: where files go, and where tensors live.
        files: the names of the stage's own files in ``output_dir``.
        stop: set it to end after this step, with a checkpoint to resume from.
    """

    cfg: CfgNode
    sets: dict[str, TrainSet]
    loader: TrainLoader
    parts: nn.ModuleDict
    optims: dict[str, Optimizer]
    clusterer: Any
    phase: str
    epoch: int
    step: int
    iter: int
    max_epochs: int
    scalars: dict[str, Tensor]
    metrics: dict[str, dict[str, float]]
    hooks: dict[str, Any]
    output_dir: Path
    files: StageFolder
    device: torch.device
    stop: bool

    @property
    def model(self) -> Any:
        """The part that embeds images: an ``nn.Module`` with what MODEL's contract asks for."""

    @property
    def extractor(self) -> Any:
        """What embeds the training images for pseudo labels and memories, by its ``embed``."""

    @property
    def losses(self) -> nn.ModuleDict:
        """Phase -> its losses."""

    def check_phase(self, phase: str) -> None:
        """Check that there is a step for ``phase``, and every loss and optimizer that the step needs."""

    def relabel(self, name: str, labels: Tensor, centroids: Tensor | None = None) -> None:
        """Give training set ``name`` new labels, int64 (N,), -1 for images to leave out."""

    def renew_optimizers(self, keep: bool = True) -> None:
        """Build the optimizers of the present parameters; with ``keep`` the state of those that stayed is kept."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that it takes to continue from here; every process must call it."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
