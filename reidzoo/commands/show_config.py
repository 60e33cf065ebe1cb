"""Print the resolved configuration: defaults, plug-ins, ``_BASE_`` files, overlays and overrides in one YAML."""

from __future__ import annotations

import argparse

from reidzoo.commands import train
from reidzoo.commands.arguments import overrides

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo show-config --config-file projects/DomainMix/mini.yml --stage label"

add_arguments = train.add_arguments
"""The very arguments of ``train``, so that a command becomes its configuration by another verb."""


def run(args: argparse.Namespace) -> None:
    """Print the configuration, or that of one stage.

    Raises:
        ConfigError: anything wrong in the configuration, or no such stage.
    """
    from reidzoo.config import dump, load_config, stage_configs
    from reidzoo.errors import ConfigError

    cfg = load_config(args.config_file, overrides(args), args.overlay, trust=args.trust or None)
    if args.stage:
        stages = stage_configs(cfg)
        if args.stage not in stages:
            raise ConfigError(f"{args.config_file}: no stage {args.stage}; stages: {', '.join(stages)}")
        cfg = stages[args.stage]
    print(dump(cfg), end="")
