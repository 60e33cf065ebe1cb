"""Loads the project's plug-in, so that its tests can import ``clip_reid``."""

from __future__ import annotations

from pathlib import Path

from reidzoo.config import load_config

load_config(Path(__file__).parents[3] / "projects" / "CLIPReID" / "base.yml")
