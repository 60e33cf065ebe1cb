"""A run in Weights & Biases."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from reidzoo.checks import TEXT, check, either, one_of
from reidzoo.engine.runner import Runner
from reidzoo.errors import UserError
from reidzoo.files import write_text
from reidzoo.hooks.tracker import TrackerHook
from reidzoo.needs import need
from reidzoo.registry import HOOK

__all__ = ["WandbHook"]

MODES = ("online", "offline", "disabled")


@HOOK.register_module()
class WandbHook(TrackerHook):
    """Sends a run to Weights & Biases, or keeps it in the stage's folder for ``wandb sync``.

    Each stage is a run of its own, in a group named after the whole; its steps are the stage's. A resumed run goes on
    under the id in the stage's ``wandb.json``. As a process that is killed may take its last seconds with it, a resumed
    run is sent from its beginning, but for the steps that the server says it has. Offline each part of a run has a
    folder in ``wandb`` in the stage's folder, and the last of them holds the whole run: ``wandb sync`` that one. It
    takes ``pip install 'reidzoo[wandb]'``.

    Args:
        project: in which it is shown.
        mode: ``online``, which takes an account, ``offline``, or ``disabled``; "" for what the environment variable
            ``WANDB_MODE`` says, or online.
        entity: whose project it is; "" for the account's own.
        images: how many of the first batch are shown, at most; 0 for none.
    """

    module, extra = "wandb", "wandb"

    def __init__(self, project: str = "reidzoo", mode: str = "", entity: str = "", images: int = 16) -> None:
        super().__init__(images)
        check(self, TEXT, project=project)
        check(self, either(TEXT, one_of("")), entity=entity)
        check(self, one_of(*MODES, ""), mode=mode)
        self.project, self.mode, self.entity = project, mode, entity
        self._run: Any = None

    def start(self, runner: Runner, name: str, config: str) -> bool:
        """Begin the run, or go on with it; it is to be sent whole."""
        wandb = need(self.module, self.extra)
        note = runner.output_dir / "wandb.json"
        run_id = json.loads(note.read_text(encoding="utf-8"))["id"] if note.exists() else secrets.token_hex(4)
        try:
            self._run = wandb.init(
                project=self.project, entity=self.entity or None, mode=self.mode or None, id=run_id, name=name,
                group=name.partition("/")[0], dir=str(runner.output_dir), config=yaml.safe_load(config),
                resume="allow" if self.mode != "offline" else None, settings=wandb.Settings(console="off"),
            )  # fmt: skip
        except wandb.errors.Error as error:
            raise UserError(
                f"HOOKS: WandbHook: {error} (wandb login, or 'mode: offline' for files that wandb sync sends later)"
            ) from None
        write_text(note, json.dumps({"id": run_id, "project": self.project, "entity": self.entity}) + "\n")
        return True

    def put_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Hand values over to the process that writes or sends them."""
        if step >= self._run.starting_step:
            self._run.log(dict(scalars), step=step)

    def put_image(self, name: str, image: np.ndarray, step: int) -> None:
        """Hand a picture over."""
        self._run.log({name: need(self.module, self.extra).Image(image)}, step=step)

    def put_file(self, path: Path, step: int) -> None:
        """Hand a picture's file over; an SVG is kept among the run's files."""
        if path.suffix == ".svg":
            self._run.save(str(path), base_path=str(path.parent), policy="now")
        else:
            self._run.log({path.stem: need(self.module, self.extra).Image(str(path))}, step=step)

    def finish(self) -> None:
        """Wait until all is written or sent."""
        self._run.finish()
