"""The rule by which ADIN's authors alternate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reidzoo.checks import FLAG, PROBABILITY, check, whole
from reidzoo.hooks import SwitchRule
from reidzoo.registry import SWITCH_RULE

__all__ = ["AuthorsRule"]


@SWITCH_RULE.register_module()
class AuthorsRule(SwitchRule):
    """Decides by the accuracies of identities (a_I) and nuisances (a_N) as the main loop of the authors' adinTrain.py.

    The thresholds begin at the accuracies after pre-training: goal_I = a_I, trigger_I = goal_I - ``identity_margin``,
    trigger_N = a_N - ``nuisance_drop``. A round is

    * where a_I < trigger_I, ``rescue`` until a_I >= goal_I; then goal_I is the accuracy reached;
    * else, where a_N > trigger_N, a ``penalty``;
    * else ``renew``: the classifiers are reset, and what they reach raises goal_I where it is higher.

    After rescues and after a renewal trigger_I = goal_I - ``identity_margin``, and trigger_N is lowered to a_N -
    ``nuisance_drop``; it never rises. The end is after ``max_rounds``, or after a renewal with a_N < initial a_N -
    ``stop_nuisance`` and a_I > initial a_I + ``stop_identity``, which cannot be where the initial a_I is 0.8 or more.

    The two last arguments are ours; their defaults are the code's way.

    Args:
        max_rounds: the largest number of rounds.
        identity_margin, nuisance_drop, stop_nuisance, stop_identity: see above; the defaults are the code's.
        max_rescues: so many in a row are enough, and goal_I falls to what they reached; 0 for no bound.
        final_rescue: whether a round of rescues may follow the last one if that left a_I below trigger_I.
    """

    actions = ("rescue", "penalty", "renew")
    measures = ("identity", "nuisance")

    def __init__(
        self,
        max_rounds: int = 60,
        identity_margin: float = 0.01,
        nuisance_drop: float = 0.1,
        stop_nuisance: float = 0.5,
        stop_identity: float = 0.2,
        max_rescues: int = 0,
        final_rescue: bool = False,
    ) -> None:
        check(self, whole(1), max_rounds=max_rounds)
        check(self, PROBABILITY, identity_margin=identity_margin, nuisance_drop=nuisance_drop)
        check(self, PROBABILITY, stop_nuisance=stop_nuisance, stop_identity=stop_identity)
        check(self, whole(0), max_rescues=max_rescues)
        check(self, FLAG, final_rescue=final_rescue)
        self.max_rounds, self.identity_margin, self.nuisance_drop = max_rounds, identity_margin, nuisance_drop
        self.stop_nuisance, self.stop_identity = stop_nuisance, stop_identity
        self.max_rescues, self.final_rescue = max_rescues, final_rescue
        self.round = self.rescues = 0
        self.action = ""
        self.goal = self.trigger_identity = self.trigger_nuisance = 0.0
        self.stop_below = self.stop_above = 0.0

    def begin(self, measured: Mapping[str, float]) -> None:
        """Set the thresholds from the accuracies after pre-training."""
        identity, nuisance = measured["identity"], measured["nuisance"]
        self.goal, self.trigger_identity = identity, identity - self.identity_margin
        self.trigger_nuisance = nuisance - self.nuisance_drop
        self.stop_above, self.stop_below = identity + self.stop_identity, nuisance - self.stop_nuisance

    def decide(self, measured: Mapping[str, float]) -> str:
        """Return ``rescue``, ``penalty``, ``renew`` or ``end`` for the accuracies that the last action led to."""
        identity, nuisance = measured["identity"], measured["nuisance"]
        if self.action == "rescue":
            if identity < self.goal and not 0 < self.max_rescues <= self.rescues:
                self.rescues += 1
                return "rescue"
            self._move(identity, nuisance)
        elif self.action == "renew":
            self._move(max(self.goal, identity), nuisance)
            if nuisance < self.stop_below and identity > self.stop_above:
                self.action = "end"
                return "end"
        hurt = identity < self.trigger_identity
        if self.round >= self.max_rounds + (self.final_rescue and hurt):
            self.action = "end"
        else:
            self.action = "rescue" if hurt else "penalty" if nuisance > self.trigger_nuisance else "renew"
            self.round, self.rescues = self.round + 1, int(hurt)
        return self.action

    def _move(self, goal: float, nuisance: float) -> None:
        """Set the goal and the triggers that follow from it and from a_N."""
        self.goal, self.trigger_identity = goal, goal - self.identity_margin
        self.trigger_nuisance = min(self.trigger_nuisance, nuisance - self.nuisance_drop)

    @property
    def thresholds(self) -> dict[str, float]:
        """The present thresholds."""
        triggers = {"trigger_identity": self.trigger_identity, "trigger_nuisance": self.trigger_nuisance}
        return {"goal_identity": self.goal, **triggers}

    def state_dict(self) -> dict[str, Any]:
        """Return the round, the action and the thresholds; the arguments are the configuration's."""
        moved = ("goal", "trigger_identity", "trigger_nuisance")
        return {
            name: getattr(self, name) for name in ("round", "rescues", "action", "stop_below", "stop_above", *moved)
        }
