"""A launcher by its name."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reidzoo.checks import check, one_of
from reidzoo.errors import UserError
from reidzoo.tables.launchers.launcher import Launcher
from reidzoo.tables.launchers.local_launcher import LocalLauncher
from reidzoo.yaml_marks import Doubtful, parse_yaml, unmark

__all__ = ["LAUNCHERS", "build_launcher", "read_options"]

LAUNCHERS = ("local", "submitit", "ray")
"""Processes of this machine, SLURM's jobs, tasks of a Ray cluster."""


def build_launcher(
    name: str, options: Mapping[str, Any], folder: Path, environment: Mapping[str, str], inherited: Sequence[int] = ()
) -> Launcher:
    """Return the launcher called ``name``.

    Args:
        name: of ``LAUNCHERS``.
        options: for the cluster, as ``read_options`` gives them.
        folder: where a cluster's files go.
        environment: of the processes of this machine.
        inherited: file descriptors that these keep open.

    Raises:
        ConfigError: no launcher has that name.
        UserError: its package is not installed, or does not know an option.
    """
    check("--launcher", one_of(*LAUNCHERS), launcher=name)
    if name == "local":
        if options:
            raise UserError("--launcher-option: for a cluster; processes of this machine have none")
        return LocalLauncher(environment, inherited)
    if importlib.util.find_spec(name) is None:
        raise UserError(f"--launcher {name}: the package is not installed; pip install 'reidzoo[{name}]'")
    try:
        if name == "submitit":
            from reidzoo.tables.launchers.submitit_launcher import SubmititLauncher

            return SubmititLauncher(folder, options)
        from reidzoo.tables.launchers.ray_launcher import RayLauncher

        return RayLauncher(options)
    except (TypeError, ValueError, NameError, RuntimeError) as error:
        raise UserError(f"--launcher {name}: {error}") from error


def read_options(options: Sequence[str]) -> dict[str, object]:
    """Return ``KEY=VALUE`` words as a mapping, values read as YAML.

    Raises:
        UserError: a word has no ``=``, or its value is no YAML, or ``yes``, ``no`` and the like.
    """
    pairs = [word.partition("=") for word in options]
    for key, sign, _ in pairs:
        if not sign or not key:
            raise UserError(f"--launcher-option {key}: expected KEY=VALUE, such as gpus_per_node=1")
    values = {key: unmark(parse_yaml(value, lambda _: "--launcher-option")) for key, _, value in pairs}
    for key, value in values.items():
        if isinstance(value, Doubtful):
            raise UserError(f"--launcher-option {key}={value}: write true or false, a number, or a text in quotes")
    return values
