"""Reads a finished stage of a run from the run's folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yacs.config import CfgNode

from reidzoo.config import dump, stage_configs
from reidzoo.config.references import fill_seed
from reidzoo.engine.evaluate import target_figures
from reidzoo.engine.run_folder import RunFolder
from reidzoo.errors import UserError
from reidzoo.files import show_command
from reidzoo.publishing.describe import describe_data
from reidzoo.publishing.portable_config import relative_plugins
from reidzoo.weights.cache import sha256_of

__all__ = ["FinishedRun"]


@dataclass(frozen=True)
class FinishedRun:
    """The facts about one finished stage of a run, from its folder.

    Attributes:
        stage: the stage's name.
        cfg: its complete configuration.
        weights: its final checkpoint.
        metrics: tested on -> metric -> fraction, from its ``results.json``.
        data: the training data of it and of the stages before it, in words.
        config_file: the configuration that was run, if it is one of the repository's.
        config_sha256: of the whole run's resolved configuration, with plug-ins relative to the repository.
        environment: the run's ``environment.json``.
        trust: whether what its configuration names may be imported.
        calibration: what ``reidzoo calibrate`` found of these weights, if it was asked.
    """

    stage: str
    cfg: CfgNode
    weights: Path
    metrics: dict[str, dict[str, float]]
    data: str
    config_file: str | None
    config_sha256: str
    environment: dict[str, str]
    trust: bool = False
    calibration: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path, stage: str, repository: Path, trust: bool = False) -> FinishedRun:
        """Read the folder of a run.

        Args:
            folder: the run's OUTPUT_DIR.
            stage: the stage; "" for the last.
            repository: where plug-ins and configuration files lie.
            trust: whether what its configuration names may be imported.

        Raises:
            UserError: there is no such run or stage, it is not finished, or it was tested on nothing.
        """
        run = RunFolder(folder)
        cfg = run.read_config(trust=trust)
        files = run.finished_stage(stage)
        metrics = {target: dict(figures) for target, figures in target_figures(files.read_results()).items()}
        if not metrics:
            raise UserError(f"{files.results} has no figures: that stage embeds nothing for a test")
        environment = run.read_environment()
        twins = all(target.endswith(" twin") for target in metrics)
        text = yaml.safe_dump({**yaml.safe_load(dump(cfg)), "PLUGINS": relative_plugins(cfg.PLUGINS, repository)})
        return cls(
            files.name,
            fill_seed(stage_configs(cfg)[files.name]),
            files.checkpoint,
            metrics,
            describe_data(stage_configs(cfg), files.name, twins),
            _config_file(environment["command"], repository),
            hashlib.sha256(text.encode()).hexdigest(),
            environment,
            trust,
            files.read_calibration(sha256_of(files.checkpoint)),
        )

    @property
    def command(self) -> str:
        """The command of the run, without the folders of one machine."""
        return show_command(self.environment["command"].split())

    @property
    def uncommitted(self) -> str:
        """The uncommitted files of code: "none", their names, or "unknown"."""
        return self.environment.get("uncommitted", "unknown")


def _config_file(command: str, repository: Path) -> str | None:
    words = command.split()
    if "--config-file" not in words[:-1]:
        return None
    path = Path(words[words.index("--config-file") + 1])
    path = (repository / path).resolve()
    inside = path.is_relative_to(repository) and path.relative_to(repository).parts[0] in ("projects", "configs")
    return path.relative_to(repository).as_posix() if inside and path.is_file() else None
