"""Configuration: YAML files with ``_BASE_``, ``PLUGINS``, ``STAGES`` and overrides; see ``loader``."""

from __future__ import annotations

from yacs.config import CfgNode

from reidzoo.config.defaults import free, get_cfg
from reidzoo.config.loader import dump, load_config, stage_configs, stage_names

__all__ = ["CfgNode", "dump", "free", "get_cfg", "load_config", "stage_configs", "stage_names"]
