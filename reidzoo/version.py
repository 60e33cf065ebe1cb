"""The package's version, and the folder that holds its projects, configurations and own models."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT", "__version__"]

__version__ = "0.1.0"

_ASSETS = Path(__file__).resolve().parent / "assets"
"""What a wheel carries of the repository; a checkout has no such folder."""

ROOT = _ASSETS if _ASSETS.is_dir() else _ASSETS.parent.parent
"""Where ``projects/``, ``configs/`` and ``zoo/`` lie: the repository's root, or the installed package's copy of it."""
