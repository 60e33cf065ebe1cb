"""A run in TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reidzoo.engine.runner import Runner
from reidzoo.hooks.tracker import TrackerHook
from reidzoo.needs import need
from reidzoo.registry import HOOK

__all__ = ["TensorBoardHook"]


@HOOK.register_module()
class TensorBoardHook(TrackerHook):
    """Writes TensorBoard's event files into ``tensorboard`` in the stage's folder.

    ``tensorboard --logdir OUTPUT_DIR`` shows all stages. A resumed run writes a new file, which tells TensorBoard to
    forget what older files have from the checkpoint's step on. It takes ``pip install 'reidzoo[tensorboard]'``.

    Args:
        images: how many of the first batch are shown, at most; 0 for none.
    """

    module, extra = "torch.utils.tensorboard", "tensorboard"

    def __init__(self, images: int = 16) -> None:
        super().__init__(images)
        self._writer: Any = None

    def start(self, runner: Runner, name: str, config: str) -> bool:
        """Open a new event file."""
        folder = runner.output_dir / "tensorboard"
        new = not any(folder.glob("events.out.tfevents.*"))
        summary_writer = need(self.module, self.extra).SummaryWriter
        self._writer = summary_writer(str(folder), purge_step=None if new else runner.iter)
        if new:
            self._writer.add_text("configuration", "".join(f"    {line}\n" for line in config.splitlines()), 0)
        return new

    def put_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Write values, to the disk too: a run that is killed has lost none of what its checkpoint counts on."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def put_image(self, name: str, image: np.ndarray, step: int) -> None:
        """Write a picture."""
        self._writer.add_image(name, image, step, dataformats="HWC")

    def put_file(self, path: Path, step: int) -> None:
        """Write a picture's file; TensorBoard shows no SVG."""
        if path.suffix != ".svg":
            with Image.open(path) as picture:
                self.put_image(path.stem, np.asarray(picture.convert("RGB")), step)

    def finish(self) -> None:
        """Close the file."""
        self._writer.close()
