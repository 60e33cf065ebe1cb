"""Print the resolved configuration: defaults, plug-ins, ``_BASE_`` files, overlays and overrides in one YAML.

python tools/show_config.py --config-file FILE [--overlay FILE ...] [--stage NAME] [KEY VALUE ...]
"""

from __future__ import annotations

import argparse

from reidzoo.config import dump, load_config, stage_configs
from reidzoo.errors import ConfigError
from reidzoo.runs.cli import run_tool


def main() -> None:
    """Print the configuration, or that of one stage.

    Raises:
        ConfigError: anything wrong in the configuration, or no such stage.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config-file", required=True, metavar="FILE", help="the YAML file")
    parser.add_argument("--overlay", action="append", default=[], metavar="FILE", help="a YAML file that wins over it")
    parser.add_argument("--stage", metavar="NAME", help="print this stage's configuration only")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="overrides")
    args = parser.parse_args()
    cfg = load_config(args.config_file, args.opts, args.overlay)
    if args.stage is not None:
        stages = stage_configs(cfg)
        if args.stage not in stages:
            raise ConfigError(f"{args.config_file}: no stage {args.stage}; stages: {', '.join(stages)}")
        cfg = stages[args.stage]
    print(dump(cfg), end="")


if __name__ == "__main__":
    run_tool(main)
