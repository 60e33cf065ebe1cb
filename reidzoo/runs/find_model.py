"""Finds a trained model by name or path: its weights, and the configuration that builds it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yacs.config import CfgNode

from reidzoo.config import load_config, stage_configs
from reidzoo.config.references import fill_seed
from reidzoo.config.sources import parse_overrides, read_indexes
from reidzoo.datasets.nodes import Node, sources
from reidzoo.engine.run_folder import RunFolder
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.weights.loading import is_safetensors, local_file
from reidzoo.zoo.index import register_index, register_indexes
from reidzoo.zoo.lookup import plain_name

__all__ = ["TrainedModel", "find_model"]


@dataclass(frozen=True)
class TrainedModel:
    """A model's weights and the configuration that it was trained with.

    Attributes:
        name: its name in tables.
        config: the configuration file, or the model file that carries it.
        stage: the stage whose model it is.
        weights: the checkpoint or model file.
        cfg: the stage's complete configuration.
        run: the folder of its run, if it comes from one.
        trust: whether what ``config`` names may be imported, as for ``load_config``.
    """

    name: str
    config: Path
    stage: str
    weights: Path
    cfg: CfgNode
    run: RunFolder | None = None
    trust: bool | None = None

    def read_config(self, opts: Sequence[str] = (), overlays: Sequence[str] = ()) -> CfgNode:
        """Return the whole configuration, with other overrides and overlays than before."""
        return load_config(self.config, opts, overlays, trust=self.trust)

    @property
    def sources(self) -> tuple[Node, ...]:
        """The datasets that the stage trains on, as the configuration names them, without their wrappers."""
        return sources(fill_seed(self.cfg).DATASETS.TRAIN)


def find_model(
    config: str | os.PathLike[str] = "",
    weights: str | os.PathLike[str] = "",
    stage: str = "",
    opts: Sequence[str] = (),
    overlays: Sequence[str] = (),
    *,
    trust: bool = False,
) -> TrainedModel:
    """Find the model that a configuration and a name of weights stand for; one of the two is enough.

    Args:
        config: a configuration file; "" takes that of the run, or the one in the model file.
        weights: a name of the zoo with or without ``zoo://``, a run's folder, a model file or a checkpoint; "" takes
            the run in the configuration's OUTPUT_DIR.
        stage: the stage of the model; "" for the stage whose folder ``weights`` lies in, or the last.
        opts, overlays: as for ``load_config``.
        trust: whether the plug-ins and dotted types that come with the weights, in a model file or in the
            ``config.yml`` of a run, may be imported. A YAML file that is given as ``config`` is trusted.

    Raises:
        ConfigError: neither is given, there is no such stage, or what comes with the weights takes ``trust``.
        WeightsError: there is no such checkpoint or model, or the run is not finished.
    """
    text = os.fspath(weights)
    for index in read_indexes(parse_overrides(opts)):
        register_index(index)
    trusted = trust or (None if config else False)
    if config:
        register_indexes(load_config(config, opts, overlays, trust=trusted))
    if not (config or text):
        raise ConfigError("no model: give --config-file, or as --weights a run's folder, a model file or a zoo's name")
    run, file, held_stage = _find_file(text)
    if not config:
        config = _carrier(text, run, file)
    cfg = load_config(config, opts, overlays, trust=trusted)
    stages = stage_configs(cfg)
    if not text:
        run = RunFolder.of_config(cfg)
    stage = stage or held_stage or list(stages)[-1]
    if stage not in stages:
        raise ConfigError(f"{config}: there is no stage {stage!r}; the stages are {', '.join(stages)}")
    if file is None:
        if run is None:
            raise WeightsError(f"{text}: there is neither a run nor a file of weights")
        file = RunFolder(run.path, list(cfg.STAGES)).finished_stage(stage).checkpoint
    name = _name(text, Path(config))
    name = f"{name}, {stage}" if cfg.STAGES else name
    return TrainedModel(name, Path(config), stage, file, stages[stage], run, trusted)


def _find_file(name: str) -> tuple[RunFolder | None, Path | None, str]:
    """Return the run, the file and the stage that a name of weights stands for, each as far as it is known."""
    if name and os.path.isdir(name) and RunFolder(name).config.is_file():
        return RunFolder(name), None, ""
    file = local_file(name) if name else None
    run, stage = (file and not is_safetensors(file) and RunFolder.holding(file)) or (None, "")
    return run, file, stage


def _carrier(name: str, run: RunFolder | None, file: Path | None) -> Path:
    """Return the file with the model's configuration: the run's, or the model file itself."""
    if run is not None:
        return run.config
    if file is not None and is_safetensors(file):
        return file
    raise WeightsError(
        f"{name}: there is no config.yml next to it or above it to say how the model is built; give --config-file, "
        f"name the run's folder, or make a model file of it (reidzoo export, or reidzoo convert for another toolkit's)"
    )


def _name(name: str, config: Path) -> str:
    """Return a model's name in tables: its name in the zoo, its run's, or the configuration's."""
    if name and not os.path.exists(name):
        return plain_name(name)
    if config.name == "config.yml":
        return config.resolve().parent.name
    return config.stem
