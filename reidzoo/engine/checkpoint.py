"""Checkpoints on disk: one plain dict, written whole or not at all, read without running code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidzoo import distributed
from reidzoo.errors import WeightsError
from reidzoo.files import atomic_save
from reidzoo.weights.loading import safe_read

if TYPE_CHECKING:
    from reidzoo.trainers.trainer import Trainer

__all__ = ["FINAL", "LAST", "resume", "save"]

LAST = "last.pth"
"""The newest checkpoint of a stage that is not finished."""
FINAL = "model_final.pth"
"""The checkpoint of a finished stage; its presence says that the stage is done."""


def save(trainer: Trainer, name: str) -> Path:
    """Write the trainer's state to ``name`` in its folder; every rank must call it, rank 0 writes."""
    state = trainer.state_dict()
    path = trainer.output_dir / name
    if distributed.is_main():
        atomic_save(state, path)
    distributed.barrier()
    return path


def resume(trainer: Trainer, path: Path) -> None:
    """Set the trainer to the state saved at ``path``.

    Raises:
        WeightsError: the file is no checkpoint of a run, or not of this configuration.
    """
    state: dict[str, Any] = safe_read(path)
    if not isinstance(state, dict) or "optims" not in state:
        raise WeightsError(f"{path} holds weights only, not a run to resume; start from it with MODEL.WEIGHTS {path}")
    trainer.load_state_dict(state)
