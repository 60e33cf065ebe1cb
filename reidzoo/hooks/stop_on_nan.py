"""The end of a run whose loss is NaN or infinite, before it is saved over the last good checkpoint."""

from __future__ import annotations

from typing import Any

import torch

from reidzoo.engine.runner import Runner
from reidzoo.errors import UserError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["StopOnNaNHook"]


@HOOK.register_module()
class StopOnNaNHook(Hook):
    """Raises a UserError naming the losses, the stage and the iteration as soon as one is NaN or infinite."""

    priority = 5

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Check the step's losses, all in one transfer from the device."""
        if not outputs or bool(torch.isfinite(torch.stack([value.float() for value in outputs.values()])).all()):
            return
        bad = ", ".join(f"{name} = {value.item()}" for name, value in outputs.items() if not torch.isfinite(value))
        raise UserError(
            f"{bad} at iteration {runner.iter} (epoch {runner.epoch + 1}, phase {runner.phase}). The last good "
            f"checkpoint is kept in {runner.output_dir}; lower the learning rate, set SOLVER.GRAD_CLIP, or use "
            f"SOLVER.PRECISION fp32"
        )
