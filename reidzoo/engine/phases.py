"""The phases of a trainer: one for each of its steps."""

from __future__ import annotations

__all__ = ["step_phases"]


def step_phases(trainer: object) -> tuple[str, ...]:
    """Return the phases that a trainer or its class has a ``step_<phase>`` for, in alphabetical order."""
    return tuple(name.removeprefix("step_") for name in dir(trainer) if name.startswith("step_"))
