"""reidzoo: person and vehicle re-identification from registered parts."""

from __future__ import annotations

import os

# On a machine that others use too, OpenMP's waiting threads otherwise spin against the working ones: ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
