"""Stand-ins for the files that the earlier stages of a run have not written yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from yacs.config import CfgNode

from reidzoo.config.references import map_texts, texts
from reidzoo.datasets import Dataset, write_pseudo_labels
from reidzoo.datasets.nodes import Node, layers, train_nodes
from reidzoo.engine.run_folder import StageFolder
from reidzoo.errors import ConfigError

__all__ = ["StandIns"]

IMAGES = 4
"""Images of each identity in made-up pseudo labels."""


class StandIns:
    """Gives a stage's configuration files that look like the results of the stages before it.

    Args:
        stages: the stages to come, in their order.
        folders: the folder of each.
        place: where the files are written.
    """

    def __init__(self, stages: Mapping[str, CfgNode], folders: Mapping[str, StageFolder], place: Path) -> None:
        self.stages, self.folders, self.place = dict(stages), dict(folders), place
        self._order = {name: number for number, name in enumerate(stages)}
        self._same: dict[str, str] = {}

    def folder(self, stage: str) -> Path:
        """Return the folder of a stage's stand-ins."""
        return self.place / f"{self._order[self._same.get(stage, stage)]}_"  # no name begins with another

    def checkpoint(self, stage: str) -> Path:
        """Return the path of the stand-in for a stage's final checkpoint."""
        return self.folder(stage) / self.folders[stage].checkpoint.name

    def share(self, stage: str, other: str) -> None:
        """Let ``stage`` have the stand-ins of an equal one."""
        self._same[stage] = self._same.get(other, other)

    def is_awaited(self, stage: str) -> bool:
        """Whether a later stage reads the final checkpoint of ``stage``."""
        path = str(self.folders[stage].checkpoint)
        later = [name for name in self.stages if self._order[name] > self._order[stage]]
        return not Path(path).exists() and any(path in texts(self.stages[name]) for name in later)

    def writer(self, path: str) -> str | None:
        """Return the stage in whose folder ``path`` lies."""
        parents = Path(path).parents if os.sep in path else ()
        return next((name for name, folder in self.folders.items() if folder.path in parents), None)

    def renamed(self, text: str) -> str:
        """Return a message with the stand-ins' names replaced by those of the files that they stand for."""
        for stage, folder in self.folders.items():
            text = text.replace(str(self.folder(stage)), str(folder.path)) if stage in self._order else text
        return text

    def fill(self, stage: str, dataset: Callable[[Node], Dataset]) -> tuple[CfgNode, list[str]]:
        """Return a stage's configuration with stand-ins, and the files for which there are none.

        Weights that an earlier stage could not give, since it has mistakes of its own, are left out.

        Args:
            stage: its name.
            dataset: builds a dataset whose labels are to be made up.

        Raises:
            ConfigError: the stage reads what itself or a later one writes.
        """
        cfg, found = self.stages[stage], {}
        for text in dict.fromkeys(texts(cfg)):
            writer = self.writer(text)
            if writer is None or Path(text).exists():
                continue
            if self._order[writer] >= self._order[stage]:
                raise ConfigError(f"it reads {text}, which is written by stage {writer}; stages run in their order")
            found[text] = str(self.folder(writer) / Path(text).relative_to(self.folders[writer].path))
        cfg = _without_lost_weights(map_texts(cfg, found), set(found.values()))
        self._write_labels(cfg, dataset)
        lacking = [text for text, path in found.items() if path in texts(cfg) and not Path(path).exists()]
        return cfg, lacking

    def _write_labels(self, cfg: CfgNode, dataset: Callable[[Node], Dataset]) -> None:
        for layer in (layer for node in train_nodes(cfg.DATASETS.TRAIN) for layer in layers(node)):
            path = Path(str(layer.get("labels", "")))
            if self.place in path.parents and not path.exists():
                inner = dataset(layer["dataset"])
                labels = np.arange(len(inner.train)) // IMAGES
                write_pseudo_labels(path, inner.train, labels, inner.folder)


def _without_lost_weights(cfg: CfgNode, made_up: set[str]) -> CfgNode:
    """Return a configuration without the initial weights that are to be stand-ins and are not there."""
    cfg = cfg.clone()
    cfg.defrost()
    lost = {path for path in made_up if not Path(path).exists()}
    if cfg.MODEL.WEIGHTS in lost:
        cfg.MODEL.WEIGHTS = ""
    for part in [part for part, path in cfg.WEIGHTS.items() if path in lost]:
        del cfg.WEIGHTS[part]
    cfg.freeze()
    return cfg
