"""Where a table's runs are started: on this machine, by SLURM through submitit, or on a Ray cluster."""

from reidzoo.tables.launchers.build import LAUNCHERS, build_launcher
from reidzoo.tables.launchers.local import Job, LocalLauncher

__all__ = ["LAUNCHERS", "Job", "LocalLauncher", "build_launcher"]
