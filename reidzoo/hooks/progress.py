"""A progress bar with the loss, images per second and the time left."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from reidzoo.distributed import is_main
from reidzoo.engine.host_copy import HostCopy
from reidzoo.engine.runner import Runner
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["ProgressHook"]


@HOOK.register_module()
class ProgressHook(Hook):
    """Draws one bar for the whole stage, on a terminal; in a file or a pipe the log's lines tell the same.

    The loss that it shows is that of the last but one step, so that the device is not waited for.
    """

    priority = 80

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self._loss: HostCopy | None = None

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance the progress bar."""
        images = runner.cfg.SOLVER.IMS_PER_BATCH * len(runner.sets)
        if self.bar is None:
            total = runner.max_epochs * runner.loader.length * images
            start = (runner.iter - 1) * images
            self.bar = tqdm(
                total=total, initial=start, desc=runner.output_dir.name, unit="img", unit_scale=True,
                dynamic_ncols=True, leave=False, disable=None if is_main() else True,
            )  # fmt: skip
        self.bar.update(images)
        if self.bar.disable:
            return
        if self._loss is not None:  # the last step's, which the device has computed by now
            loss, self._loss = self._loss.get(), None
            self.bar.set_postfix_str(f"epoch {runner.epoch + 1}/{runner.max_epochs} loss {loss:.3f}", refresh=False)
        if outputs and runner.iter % 5 == 0:
            self._loss = HostCopy(sum(value.detach() for value in outputs.values()))

    def after_train(self, runner: Runner) -> None:
        """Close the progress bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
