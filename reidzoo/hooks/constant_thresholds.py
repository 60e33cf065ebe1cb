"""The rule of constant thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reidzoo.checks import FLAG, TEXT, check, each, either, mapping_of, number, whole
from reidzoo.errors import ConfigError
from reidzoo.hooks.switch_rule import SwitchRule
from reidzoo.registry import SWITCH_RULE

__all__ = ["ConstantThresholds"]


@SWITCH_RULE.register_module()
class ConstantThresholds(SwitchRule):
    """Repeats an action until a measure passes a threshold that does not move::

        start: identity
        switches:
          identity: [{measure: identity, above: 0.8, next: adversarial}]
          adversarial: [{measure: identity, below: 0.7, next: identity}]

    Of an action's switches the first that holds decides; where none does, the action is repeated. ``next: end`` ends.

    Args:
        start: the first action.
        switches: action -> list of ``{measure, above or below, next}``.
        relative: thresholds are differences from the first measures: ``above: 0.0`` is what there was at the start.
        max_actions: ends after so many actions; 0 for no bound but SOLVER.MAX_EPOCHS.

    Raises:
        ConfigError: a switch is incomplete.
    """

    def __init__(
        self,
        start: str,
        switches: Mapping[str, Sequence[Mapping[str, Any]]],
        relative: bool = False,
        max_actions: int = 0,
    ) -> None:
        check(self, TEXT, start=start)
        check(self, mapping_of(each(mapping_of(either(TEXT, number())))), switches=switches)
        check(self, FLAG, relative=relative)
        check(self, whole(0), max_actions=max_actions)
        self.start, self.relative, self.max_actions = start, relative, max_actions
        self.switches = {action: [dict(switch) for switch in listed] for action, listed in switches.items()}
        for switch in (switch for listed in self.switches.values() for switch in listed):
            if set(switch) not in ({"measure", "next", "above"}, {"measure", "next", "below"}):
                raise ConfigError(
                    f"SWITCH_RULE: a switch of ConstantThresholds is {{measure: NAME, above: x, next: ACTION}}, or "
                    f"with below in the place of above; got {switch}"
                )
        self.initial: dict[str, float] = {}
        self.action, self.count = "", 0

    @property
    def actions(self) -> list[str]:  # type: ignore[override]  # follows from the arguments
        """Every action that it may come to."""
        following = (switch["next"] for listed in self.switches.values() for switch in listed)
        return [name for name in dict.fromkeys([self.start, *self.switches, *following]) if name != "end"]

    @property
    def measures(self) -> list[str]:  # type: ignore[override]
        """Every measure that a switch names."""
        return list(dict.fromkeys(switch["measure"] for listed in self.switches.values() for switch in listed))

    def begin(self, measured: Mapping[str, float]) -> None:
        """Keep the measures that relative thresholds start from."""
        self.initial = {name: measured[name] for name in self.measures}

    def decide(self, measured: Mapping[str, float]) -> str:
        """Return the next action, or ``end``."""
        action = self.action or self.start
        if self.action:
            passed = (switch["next"] for switch in self.switches.get(action, ()) if self._holds(switch, measured))
            action = next(passed, action)
        if self.max_actions and self.count >= self.max_actions:
            action = "end"
        self.action, self.count = action, self.count + 1
        return action

    def _holds(self, switch: Mapping[str, Any], measured: Mapping[str, float]) -> bool:
        value, threshold = measured[switch["measure"]], self._threshold(switch)
        return value > threshold if "above" in switch else value < threshold

    def _threshold(self, switch: Mapping[str, Any]) -> float:
        zero = self.initial[switch["measure"]] if self.relative else 0.0
        return zero + (switch["above"] if "above" in switch else switch["below"])

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds of the action, ``above_MEASURE`` and ``below_MEASURE``."""
        switches = reversed(self.switches.get(self.action, ()))  # the first of a name is shown
        return {
            f"{'above' if 'above' in switch else 'below'}_{switch['measure']}": self._threshold(switch)
            for switch in switches
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the first measures, the action and how many there were."""
        return {"initial": dict(self.initial), "action": self.action, "count": self.count}
