"""The configuration that a model file carries, as a source for ``load_config``.

A model file may come from anywhere. Of the keys that reidzoo declares, those that embedding and testing need are read
and no others; what it may name is held to by ``trust``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reidzoo.config.defaults import get_cfg
from reidzoo.config.merge import REPLACE
from reidzoo.config.plugins import plugin_path
from reidzoo.config.sources import Source
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.version import ROOT
from reidzoo.weights.model_file import read_header
from reidzoo.yaml_check import is_list_of_names
from reidzoo.yaml_marks import with_place

__all__ = ["model_source"]

READ = ("PLUGINS", "MODEL", "BACKBONE", "HEAD", "INPUT", "TEST", "DATASETS", "SOLVER")
"""The declared keys that count in a model file; others, such as OUTPUT_DIR, are the caller's to say."""


def model_source(path: str | os.PathLike[str]) -> Source:
    """Return the configuration of a model file.

    Raises:
        WeightsError: it is not a model file.
        ConfigError: its configuration names an index of models, or a plug-in that is not here.
    """
    where, header = show_path(Path(path)), read_header(path).config
    _check_indexes(header.get("ZOO"), where)
    declared = get_cfg()
    config = {key: value for key, value in header.items() if key in READ or key not in declared}
    _check_plugins(config.get("PLUGINS", []), where)
    # Its nodes are whole: the defaults' entries are not to be added to them.
    return Source(with_place({**config, REPLACE: True}, where), ROOT)


def _check_indexes(node: Any, where: str) -> None:
    if node and node != {"INDEXES": []}:
        raise ConfigError(
            f"{where}: ZOO: a model file may not name indexes of models, since whoever loads it would ask an address "
            f"of its choice"
        )


def _check_plugins(plugins: Any, where: str) -> None:
    if not is_list_of_names(plugins):
        raise ConfigError(f"{where}: PLUGINS: expected a list of importable names or paths")
    for name in plugins:
        path = plugin_path(name, ROOT)
        if path is None or not path.is_relative_to(ROOT):
            continue  # for the person to trust
        if not (path / "__init__.py").is_file() and not path.with_suffix(".py").is_file():
            raise ConfigError(
                f"{where}: PLUGINS: the model needs {name}, and there is no {path}; another version of reidzoo?"
            )
