"""ProjectName's plug-in, so that tests can import it."""

from __future__ import annotations

from pathlib import Path

from reidzoo.config import load_config

load_config(Path(__file__).parents[3] / "projects/ProjectName/base.yml")
