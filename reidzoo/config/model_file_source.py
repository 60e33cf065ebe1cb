"""The configuration that a model file carries, as a source for ``load_config``.

A model file may come from anywhere, so its configuration may name registered parts only: a dotted ``type`` would import
and call what it likes. Plug-ins are those of this checkout (a path below its root) or installed packages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reidzoo.config.merge import REPLACE
from reidzoo.config.sources import Source
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.version import ROOT
from reidzoo.weights.model_file import read_header
from reidzoo.yaml_marks import with_place

__all__ = ["model_source"]


def model_source(path: str | os.PathLike[str]) -> Source:
    """Return the configuration of a model file.

    Raises:
        WeightsError: it is no model file.
        ConfigError: its configuration names what it may not, or a plug-in that is not here.
    """
    where = show_path(Path(path))
    config = read_header(path).config
    for place, name in _types(config):
        if "." in name or ":" in name:
            raise ConfigError(
                f"{where}: {place}: {name}: a model file may name registered parts only, since importing what a file "
                f"names runs code; give the model's own configuration with --config-file"
            )
    _check_plugins(config.get("PLUGINS", []), where)
    # Its nodes are whole: the defaults' entries are not to be added to them.
    return Source(with_place({REPLACE: True, **config}, where), ROOT)


def _types(node: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "type" and isinstance(value, str):
                yield place, value
            yield from _types(value, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _types(value, f"{place}[{number}]")


def _check_plugins(plugins: Any, where: str) -> None:
    if not isinstance(plugins, list) or not all(isinstance(name, str) for name in plugins):
        raise ConfigError(f"{where}: PLUGINS: expected a list of importable names or paths")
    for name in plugins:
        if "/" not in name and os.sep not in name:
            continue
        path = Path(os.path.normpath(ROOT / name))
        if os.path.isabs(name) or not path.is_relative_to(ROOT):
            raise ConfigError(f"{where}: PLUGINS: {name}: a model file's plug-ins lie below the root of the repository")
        if not (path / "__init__.py").is_file() and not path.with_suffix(".py").is_file():
            raise ConfigError(
                f"{where}: PLUGINS: the model needs {name}, and there is no {path}; another version of reidzoo?"
            )
