"""ADIN's rule for the next phase of the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reidzoo.checks import PROBABILITY, check, whole

__all__ = ["Alternation"]


@dataclass
class Alternation:
    """Decides by accuracies on held-out images: identities (a_I) and nuisances (a_N), fractions in [0, 1].

    The thresholds begin at the accuracies after pre-training: goal_I = a_I, trigger_I = goal_I - ``identity_margin``,
    trigger_N = a_N - ``nuisance_drop``. A round is one of

    * ``rescue``, when a_I < trigger_I, and then until a_I >= goal_I, after which trigger_N is set again from a_N;
    * ``penalty``, when the identities are well and a_N > trigger_N;
    * ``renew``, when a_N has fallen to trigger_N: the classifiers are reset, and what they then reach raises goal_I
      and sets trigger_N.

    It ends after ``max_rounds``, or after a renewal with a_N < initial a_N - ``stop_nuisance`` and a_I > initial a_I +
    ``stop_identity``. This is the rule of the authors' code; the paper's sentence on Eq. 7 has it garbled.

    Args:
        max_rounds: the largest number of rounds.
        identity_margin, nuisance_drop, stop_nuisance, stop_identity: see above. The defaults are the code's; its
            stopping rule cannot hold where the initial a_I is 0.8 or more.
        extra_rescues: rescues that may follow the last round if it left the identities below their threshold. Ours:
            the code ends wherever it is.
    """

    max_rounds: int = 60
    identity_margin: float = 0.01
    nuisance_drop: float = 0.1
    stop_nuisance: float = 0.5
    stop_identity: float = 0.2
    extra_rescues: int = 5

    def __post_init__(self) -> None:
        check(self, whole(1), max_rounds=self.max_rounds)
        check(self, whole(0), extra_rescues=self.extra_rescues)
        check(self, PROBABILITY, identity_margin=self.identity_margin, nuisance_drop=self.nuisance_drop)
        check(self, PROBABILITY, stop_nuisance=self.stop_nuisance, stop_identity=self.stop_identity)
        self.round, self.action, self.initial = 0, "begin", (0.0, 0.0)
        self.goal = self.trigger_identity = self.trigger_nuisance = 0.0

    def begin(self, identity: float, nuisance: float) -> None:
        """Set the thresholds from the accuracies after pre-training."""
        self.initial, self.goal = (identity, nuisance), identity
        self._set_triggers(nuisance)

    def decide(self, identity: float, nuisance: float) -> str:
        """Return ``rescue``, ``penalty``, ``renew`` or ``end`` for the accuracies that the last round gave."""
        hurt = identity < (self.goal if self.action == "rescue" else self.trigger_identity)
        succeeded = False
        if self.action == "renew":
            succeeded = (
                nuisance < self.initial[1] - self.stop_nuisance and identity > self.initial[0] + self.stop_identity
            )
            self.goal = max(self.goal, identity)
        if self.action == "renew" or (self.action == "rescue" and not hurt):
            self._set_triggers(nuisance)
        exhausted = self.round >= self.max_rounds + (self.extra_rescues if hurt else 0)
        if succeeded or exhausted:
            self.action = "end"
        else:
            self.action = "rescue" if hurt else "penalty" if nuisance > self.trigger_nuisance else "renew"
            self.round += 1
        return self.action

    def _set_triggers(self, nuisance: float) -> None:
        self.trigger_identity = self.goal - self.identity_margin
        self.trigger_nuisance = nuisance - self.nuisance_drop

    @property
    def thresholds(self) -> dict[str, float]:
        """The present thresholds."""
        names = ("goal", "trigger_identity", "trigger_nuisance")
        return {name: getattr(self, name) for name in names}

    def state_dict(self) -> dict[str, Any]:
        """Return the round, the action and the thresholds."""
        return {"round": self.round, "action": self.action, "initial": list(self.initial), **self.thresholds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        for name, value in state.items():
            setattr(self, name, tuple(value) if name == "initial" else value)
