"""The files of a run's folder: their names and places, and what is read from them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from reidzoo.config import load_config, stage_names
from reidzoo.errors import WeightsError
from reidzoo.registry import SCHEME
from reidzoo.suggest import did_you_mean

__all__ = ["RunFolder", "StageFolder", "run_checkpoint"]


class StageFolder:
    """The folder of one stage of a run.

    Args:
        path: the folder; that of a run without stages is the run's own.
        name: the stage's name, by default the folder's.

    Attributes:
        last: the newest checkpoint while the stage trains.
        checkpoint: the checkpoint of the finished stage; its presence says that the stage is finished.
        results: the last evaluation, dataset -> metric -> fraction.
        metrics: the losses and evaluations of the training, a JSON object a line.
        labels: the pseudo labels.
        calibration: what the similarities of the final checkpoint's model mean, where that was measured.
    """

    def __init__(self, path: str | os.PathLike[str], name: str = "") -> None:
        self.path = Path(path)
        self.name = name or self.path.name
        self.last = self.path / "last.pth"
        self.checkpoint = self.path / "model_final.pth"
        self.results = self.path / "results.json"
        self.metrics = self.path / "metrics.jsonl"
        self.labels = self.path / "pseudo_labels.csv"
        self.calibration = self.path / "calibration.json"

    @property
    def finished(self) -> bool:
        """Whether the stage has trained to its end."""
        return self.checkpoint.exists()

    @property
    def started(self) -> bool:
        """Whether there is a checkpoint to resume from, or to keep."""
        return self.last.exists() or self.finished

    def read_results(self) -> dict[str, dict[str, float]]:
        """Return dataset -> metric -> fraction; empty where nothing was evaluated.

        Next to the datasets stand what hooks have measured, such as ``probe``, and, where the stage has clustered,
        ``pseudo_labels``: ``label_quality`` of its last labels.
        """
        if not self.results.exists():
            return {}
        labels = self._last_row("pseudo_labels").get("pseudo_labels")
        return json.loads(self.results.read_text(encoding="utf-8")) | ({"pseudo_labels": labels} if labels else {})

    def read_training(self) -> dict[str, float]:
        """Return the last means of what training logs, losses and shares such as ``active``; or nothing."""
        return self._last_row("step")

    def _last_row(self, key: str) -> dict[str, Any]:
        """Return the last line of ``metrics`` that has ``key``; empty where there is none."""
        if not self.metrics.exists():
            return {}
        rows = self.metrics.read_text(encoding="utf-8").splitlines()
        found = next((row for row in reversed(rows) if f'"{key}"' in row), None)
        return json.loads(found) if found else {}

    def read_calibration(self, sha256: str) -> dict[str, Any] | None:
        """Return the calibration of the checkpoint with this checksum; None where there is none, or one of another.

        Raises:
            WeightsError: the file is damaged.
        """
        if not self.calibration.exists():
            return None
        try:
            content = json.loads(self.calibration.read_text(encoding="utf-8"))
            return content["calibration"] if content["sha256"] == sha256 else None
        except (ValueError, LookupError, TypeError):
            raise WeightsError(f"{self.calibration} is damaged; remove it, or calibrate the run again") from None


class RunFolder:
    """The folder of a run, OUTPUT_DIR.

    Args:
        path: the folder.
        stages: the names of its stages; by default those of its configuration.

    Attributes:
        config: the resolved configuration, which repeats the run.
        environment: what the figures depend on besides the configuration: command, commit, versions, threads.
        models: which file each model of the zoo was that the configuration names.
        log: what was printed.
    """

    def __init__(self, path: str | os.PathLike[str], stages: Iterable[str] | None = None) -> None:
        self.path = Path(path)
        self.config = self.path / "config.yml"
        self.environment = self.path / "environment.json"
        self.models = self.path / "models.json"
        self.log = self.path / "log.txt"
        self._names = None if stages is None else list(stages)

    @classmethod
    def of_config(cls, cfg: CfgNode) -> RunFolder:
        """Return the folder that a configuration names, whether or not anything is in it."""
        return cls(cfg.OUTPUT_DIR, list(cfg.STAGES))

    @classmethod
    def holding(cls, checkpoint: str | os.PathLike[str]) -> tuple[RunFolder, str] | None:
        """Return the run that a checkpoint or a stage's folder lies in, and the stage, "" for the last; or None."""
        path = Path(checkpoint).resolve()
        folder = path if path.is_dir() else path.parent
        if cls(folder).config.is_file():
            return cls(folder), ""
        if cls(folder.parent).config.is_file():
            return cls(folder.parent), folder.name
        return None

    @cached_property
    def stages(self) -> dict[str, StageFolder]:
        """The stages by name, in their order; a configuration without stages has one, ``train``."""
        names = self._read_names() if self._names is None else self._names
        return {name: StageFolder(self.path / name, name) for name in names} or {
            "train": StageFolder(self.path, "train")
        }

    def stage(self, name: str = "") -> StageFolder:
        """Return a stage's folder, the last stage's for "".

        Raises:
            WeightsError: there is no such stage.
        """
        name = name or list(self.stages)[-1]
        if name not in self.stages:
            hint = did_you_mean(name, self.stages)
            raise WeightsError(
                f"{self.path}: there is no stage {name!r}; the stages are {', '.join(self.stages)}.{hint}"
            )
        return self.stages[name]

    def finished_stage(self, name: str = "") -> StageFolder:
        """Return the folder of a stage that has a final checkpoint, the last stage's for "".

        Raises:
            WeightsError: there is no such stage, or it is not finished.
        """
        stage = self.stage(name)
        if not stage.finished:
            raise WeightsError(
                f"{self.path}: there is no checkpoint {stage.checkpoint}; is the run finished? Train it first, or name "
                f"other weights"
            )
        return stage

    def read_config(self, *, trust: bool = False) -> CfgNode:
        """Return the run's configuration.

        Args:
            trust: whether plug-ins from anywhere and dotted types that it names may be imported.

        Raises:
            WeightsError: this is not the folder of a run.
            ConfigError: it names what takes ``trust``, or is wrong.
        """
        self._require(self.config)
        return load_config(self.config, trust=trust)

    def _read_names(self) -> list[str]:
        self._require(self.config)
        return stage_names(self.config)

    def _require(self, file: Path) -> None:
        if not file.is_file():
            raise _no_run(self.path, file.name)

    def read_environment(self) -> dict[str, Any]:
        """Return ``environment.json``.

        Raises:
            WeightsError: this is not the folder of a run.
        """
        self._require(self.environment)
        return json.loads(self.environment.read_text(encoding="utf-8"))


@SCHEME.register_module(name="run")
def run_checkpoint(folder: str) -> Path:
    """Return the final checkpoint of a run's folder, of its last stage, or of a stage's folder in it.

    Raises:
        WeightsError: it is not a run's, or the stage is not finished.
    """
    location = RunFolder.holding(folder)
    if location is None:
        raise _no_run(folder, RunFolder(folder).config.name)
    run, stage = location
    return run.finished_stage(stage).checkpoint


def _no_run(folder: str | os.PathLike[str], lacking: str) -> WeightsError:
    return WeightsError(f"{folder} is not the folder of a run: it has no {lacking}")
