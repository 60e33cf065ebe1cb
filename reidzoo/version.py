"""The package's version, and the folder that holds its projects, configurations and own models."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT", "__version__"]

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parent.parent
"""The repository's root: where ``projects/``, ``configs/`` and ``zoo/`` lie."""
