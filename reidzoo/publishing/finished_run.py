"""A stage of a run that is finished, as its folder tells."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import yaml
from yacs.config import CfgNode

from reidzoo.config import dump, load_config, stage_configs
from reidzoo.config.references import fill_seed
from reidzoo.errors import UserError
from reidzoo.files import show_command
from reidzoo.publishing.describe import describe_data
from reidzoo.publishing.portable_config import relative_plugins
from reidzoo.runs.pipeline import ENVIRONMENT, RESULTS
from reidzoo.runs.transfer_matrix import find_model

__all__ = ["FinishedRun"]


@dataclass(frozen=True)
class FinishedRun:
    """What the folder of a run says of one finished stage.

    Attributes:
        stage: the stage's name.
        cfg: its complete configuration.
        weights: its final checkpoint.
        metrics: tested on -> metric -> fraction, from its ``results.json``.
        data: what it was trained on, and the stages before it.
        config_file: the configuration that was run, if it is one of the repository's.
        config_sha256: of the whole run's resolved configuration, with plug-ins relative to the repository.
        environment: the run's ``environment.json``.
    """

    stage: str
    cfg: CfgNode
    weights: Path
    metrics: dict[str, dict[str, float]]
    data: str
    config_file: str | None
    config_sha256: str
    environment: dict[str, str]

    @classmethod
    def read(cls, folder: Path, stage: str, repository: Path) -> FinishedRun:
        """Read the folder of a run.

        Args:
            folder: the run's OUTPUT_DIR.
            stage: whose model; "" for the last stage's.
            repository: where plug-ins and configuration files lie.

        Raises:
            UserError: there is no such run or stage, it is not finished, or it was tested on nothing.
        """
        found = find_model(weights=str(folder), stage=stage)
        cfg = load_config(found.config)
        results = found.weights.with_name(RESULTS)
        measured = json.loads(results.read_text()) if results.is_file() else {}
        metrics = {target: figures for target, figures in measured.items() if "mAP" in figures}
        if not metrics:
            raise UserError(f"{found.weights.parent} has no figures in {RESULTS}: that stage embeds nothing for a test")
        if not (folder / ENVIRONMENT).is_file():
            raise UserError(f"{folder} holds no run: there is no {ENVIRONMENT}")
        environment = json.loads((folder / ENVIRONMENT).read_text())
        twins = all(target.endswith(" twin") for target in metrics)
        text = yaml.safe_dump({**yaml.safe_load(dump(cfg)), "PLUGINS": relative_plugins(cfg.PLUGINS, repository)})
        return cls(
            found.stage,
            fill_seed(stage_configs(cfg)[found.stage]),
            found.weights,
            metrics,
            describe_data(stage_configs(cfg), found.stage, twins),
            _config_file(environment["command"], repository),
            hashlib.sha256(text.encode()).hexdigest(),
            environment,
        )

    @property
    def command(self) -> str:
        """What was run, without the folders of one machine."""
        return show_command(self.environment["command"].split())

    @property
    def uncommitted(self) -> str:
        """The files of code that no commit has: "none", their names, or "unknown"."""
        return self.environment.get("uncommitted", "unknown")


def _config_file(command: str, repository: Path) -> str | None:
    words = command.split()
    if "--config-file" not in words[:-1]:
        return None
    path = Path(words[words.index("--config-file") + 1])
    path = (repository / path).resolve()
    inside = path.is_relative_to(repository) and path.relative_to(repository).parts[0] in ("projects", "configs")
    return path.relative_to(repository).as_posix() if inside and path.is_file() else None
