"""The contract of a SWITCH_RULE."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from reidzoo.registry import SWITCH_RULE
from reidzoo.testing.contract import Contract

__all__ = ["check_switch_rule"]

DECISIONS = 200


def check_switch_rule(part: Any) -> None:
    """Check that a rule of an alternation keeps its contract, on random measures in [0, 1].

    Args:
        part: the SWITCH_RULE: its node, its class, or itself.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    with Contract(SWITCH_RULE, part) as contract:
        rule, other, rng = contract.build(), contract.build(), np.random.default_rng(0)
        first = _measures(rule, rng)
        with contract.clause("begin takes the measures, a mapping of names to numbers"):
            rule.begin(first)
        measured = first
        for _ in range(DECISIONS):
            with contract.clause("its state is plain values that JSON can hold"):
                other.load_state_dict(json.loads(json.dumps(rule.state_dict())))
            action = _decide(contract, rule, measured)
            same = action == _decide(contract, other, measured) and _thresholds(contract, rule) == other.thresholds
            contract.require(same, "what it remembers is in state_dict", "one with its state decides otherwise")
            if action == "end":
                break
            measured = _measures(rule, rng)


def _measures(rule: Any, rng: np.random.Generator) -> dict[str, float]:
    return {name: float(rng.random()) for name in rule.measures}


def _decide(contract: Contract, rule: Any, measured: Mapping[str, float]) -> str:
    with contract.clause("decide takes the measures that it names"), contract.no_draws("it draws no random numbers"):
        action = rule.decide(dict(measured))
    contract.require(action in (*rule.actions, "end"), "it decides on one of its actions or end", f"it said {action!r}")
    return action


def _thresholds(contract: Contract, rule: Any) -> Mapping[str, float]:
    found = rule.thresholds
    named = isinstance(found, Mapping) and all(isinstance(value, int | float) for value in found.values())
    contract.require(named, "thresholds is a mapping of names to numbers", f"it is {found!r}")
    return found
