"""Selects the configuration and weights that go into a model file."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.config.references import referenced_stages
from reidzoo.datasets.nodes import as_mapping, innermost, train_nodes
from reidzoo.engine.build import final_interpolation, final_size
from reidzoo.errors import UserError, WeightsError
from reidzoo.weights.loading import CLASSIFIERS

__all__ = ["embedding_state", "needed_plugins", "portable_config", "relative_plugins"]

_NODES = ("MODEL", "BACKBONE", "HEAD", "INPUT", "TEST")


def portable_config(cfg: CfgNode, module: nn.Module, repository: Path) -> dict[str, Any]:
    """Return the configuration to build, feed and test the embedding model, free of paths of this machine.

    Plug-ins are named only if a class of the model is theirs; of INPUT, the size is what augmentation leaves of it.

    Args:
        cfg: the stage's configuration.
        module: the model without classes, as it is built to embed.
        repository: where plug-ins lie.

    Raises:
        UserError: a plug-in lies elsewhere, or a node needs files of other stages.
    """
    plugins = needed_plugins(cfg.PLUGINS, module)
    config: dict[str, Any] = {"PLUGINS": relative_plugins(plugins, repository)}
    config |= {key: _without_weights(cfg[key]) for key in _NODES}
    config["INPUT"] |= {"SIZE": list(final_size(cfg)), "TRANSFORMS": {"normalize": {"type": "Normalize"}}}
    config["INPUT"] |= {"INTERPOLATION": final_interpolation(cfg)}
    config["INPUT"].pop("TEST_INTERPOLATION", None)
    types = [as_mapping(innermost(node))["type"] for node in train_nodes(cfg.DATASETS.TRAIN)]
    config["DATASETS"] = {
        "ROOT": cfg.DATASETS.ROOT,
        "TRAIN": {"train": list(dict.fromkeys(types))},
        "TESTS": _plain(cfg.DATASETS.TESTS),
    }
    config["SOLVER"] = {"PRECISION": cfg.SOLVER.PRECISION}
    if referenced_stages(config):
        raise UserError(f"the model is built from files of the stages {', '.join(referenced_stages(config))}")
    return config


def needed_plugins(plugins: list[str], module: nn.Module) -> list[str]:
    """Return those plug-ins, names or paths, that define a class of the module or of one within it."""
    files = {Path(inspect.getfile(type(part))).resolve() for part in module.modules()}
    return [plugin for plugin in plugins if any(file.is_relative_to(_home(plugin)) for file in files)]


def _home(plugin: str) -> Path:
    """Return the folder of a plug-in, or its file."""
    if not os.path.isabs(plugin):
        file = Path(inspect.getfile(importlib.import_module(plugin))).resolve()
        return file.parent if file.name == "__init__.py" else file  # beside which others may lie, such as torch
    path = Path(plugin).resolve()
    return path if path.is_dir() else path.with_suffix(".py")


def relative_plugins(plugins: list[str], repository: Path) -> list[str]:
    """Return the plug-ins with paths relative to the repository."""
    names = []
    for plugin in plugins:
        if os.path.isabs(plugin):
            if not Path(plugin).is_relative_to(repository):
                raise UserError(
                    f"the model needs the plug-in {plugin}, a file that others do not have. Make it a package that can "
                    f"be installed and name it in PLUGINS by its name, or export from the checkout that holds it"
                )
            plugin = Path(plugin).relative_to(repository).as_posix()
        names.append(plugin)
    return names


def _without_weights(value: Any) -> Any:
    """Return a plain copy in which nothing names weights to start from."""
    if isinstance(value, Mapping):
        return {
            key: "" if key in ("pretrained", "WEIGHTS") else _without_weights(child) for key, child in value.items()
        }
    return [_without_weights(child) for child in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, list | tuple) else value


def embedding_state(saved: Mapping[str, Tensor], module: nn.Module, where: str) -> dict[str, Tensor]:
    """Return the weights of a run's model that embedding needs: without classifiers and ``training_only`` weights.

    Args:
        saved: the model's state after training.
        module: the model without classes, as it is built to embed.
        where: the checkpoint, for messages.

    Raises:
        WeightsError: the state has other names than the model.
    """
    unused = getattr(module, "training_only", ())
    names = list(module.state_dict())
    missing = [name for name in names if name not in saved]
    strange = [name for name in saved if name not in names and not _any_matches(name, (*CLASSIFIERS, *unused))]
    if missing or strange:
        raise WeightsError(f"{where} does not fit its configuration: {', '.join((missing + strange)[:10])}")
    return {name: saved[name] for name in names if not _any_matches(name, unused)}


def _any_matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
