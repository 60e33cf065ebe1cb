"""The base of rules that decide what an alternation does next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["SwitchRule"]


class SwitchRule:
    """Decides which action of ``AlternationHook`` comes next, by measures on held-out images.

    A rule of one's own is a subclass with ``decide``, and with ``begin`` where its thresholds start from the first
    measures. What it keeps in attributes is its state, as long as these are plain values; a rule that keeps other
    things, or takes a changed argument when it is resumed, has ``state_dict`` and ``load_state_dict`` of its own.

    Attributes:
        actions: what ``decide`` may return, without ``end``; the hook needs turns for each.
        measures: the names that it looks up in what is measured.
    """

    actions: Sequence[str] = ()
    measures: Sequence[str] = ()

    def rehearse(self) -> None:
        """Check, in the dry run before a run's first step, what can be known by then."""

    def begin(self, measured: Mapping[str, float]) -> None:
        """Take the measures before the first action, by name."""

    def decide(self, measured: Mapping[str, float]) -> str:
        """Return the name of the next action, or ``end``, for the measures that the last action has led to."""
        raise NotImplementedError

    @property
    def thresholds(self) -> dict[str, float]:
        """The present thresholds, by name, for the record; ``..._NAME`` is drawn as a threshold of the measure NAME."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the attributes."""
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore saved attributes."""
        vars(self).update(state)
