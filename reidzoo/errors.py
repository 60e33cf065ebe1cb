"""Errors that are the user's to fix: the command line prints them without a traceback and exits with code 2."""

from __future__ import annotations

__all__ = [
    "ClusteringError",
    "ConfigError",
    "DatasetError",
    "EvaluationError",
    "EvaluationInputError",
    "GalleryError",
    "Paused",
    "UnknownModelError",
    "UserError",
    "WeightsError",
]


class UserError(Exception):
    """Something the user asked for cannot be done; the message says what, where, and what to do about it.

    Attributes:
        exit_code: what a command exits with.
    """

    exit_code = 2


class Paused(UserError):
    """A run was asked to stop, has saved itself, and goes on with ``--resume``; exit code 75, "try again later"."""

    exit_code = 75


class ConfigError(UserError):
    """A configuration file or an override is wrong."""


class DatasetError(UserError):
    """A dataset is missing, incomplete, or not in the layout its reader knows."""


class WeightsError(UserError):
    """A weight file is missing, unsafe, or does not fit the model strictly."""


class UnknownModelError(WeightsError):
    """No index has a model of this name."""


class GalleryError(UserError):
    """A gallery is missing, damaged, of another model, or does not hold what was asked for."""


class EvaluationError(UserError):
    """Features, ids and cameras do not allow the protocol that was asked for."""


class EvaluationInputError(EvaluationError, ValueError):
    """Features, ids, cameras or options that cannot be evaluated; a ``ValueError`` too, for plain Python callers."""


class ClusteringError(UserError, ValueError):
    """Features, a graph, labels or settings that cannot be clustered; a ``ValueError`` too, as above."""
