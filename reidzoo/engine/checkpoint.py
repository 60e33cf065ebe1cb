"""Saves and resumes checkpoints: one plain dict, written whole or not at all, read without running code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reidzoo import distributed
from reidzoo.engine.agreement import check_agreement
from reidzoo.engine.runner import Runner
from reidzoo.errors import WeightsError
from reidzoo.files import atomic_save
from reidzoo.weights.loading import safe_read

__all__ = ["resume", "save"]

NEEDED = ("epoch", "step", "iter", "phase", "labels", "parts", "optims", "clusterer", "hooks", "random")
"""What a trainer's state has."""


def save(trainer: Runner, path: Path) -> None:
    """Write the trainer's state to ``path``; every rank must call it, rank 0 writes.

    Raises:
        UserError: the ranks have come to different weights or buffers, see ``check_agreement``; nothing is written.
    """
    check_agreement(trainer.parts)
    state = trainer.state_dict()
    if distributed.is_main():
        atomic_save(state, path)
    distributed.barrier()


def resume(trainer: Runner, path: Path) -> None:
    """Set the trainer to the state saved at ``path``.

    Raises:
        WeightsError: the file is not a checkpoint of a run, or not of this configuration.
    """
    state: dict[str, Any] = safe_read(path)
    if not isinstance(state, dict) or not state.keys() >= set(NEEDED):
        raise WeightsError(f"{path} holds weights only, not a run to resume; start from it with MODEL.WEIGHTS {path}")
    trainer.load_state_dict(state)
