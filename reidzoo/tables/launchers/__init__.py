"""Launchers of a table's runs: on this machine, by SLURM through submitit, or on a Ray cluster."""

from reidzoo.tables.launchers.build import LAUNCHERS, build_launcher, read_options
from reidzoo.tables.launchers.launcher import Job, Launcher
from reidzoo.tables.launchers.local_launcher import LocalLauncher

__all__ = ["LAUNCHERS", "Job", "Launcher", "LocalLauncher", "build_launcher", "read_options"]
