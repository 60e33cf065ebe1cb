"""check_switch_rule: our own rules pass, and each broken clause is named."""

from __future__ import annotations

import json
import random

import pytest

from reidzoo.hooks import SwitchRule
from reidzoo.registry import SWITCH_RULE
from reidzoo.testing import ContractError, check_switch_rule

from .own_parts import own_parts

SWITCHES = {
    "model": [{"measure": "identity", "above": 0.6, "next": "penalty"}],
    "penalty": [
        {"measure": "nuisance", "below": 0.3, "next": "model"},
        {"measure": "nuisance", "above": 0.98, "next": "end"},
    ],
}
CASES = {"ConstantThresholds": {"start": "model", "switches": SWITCHES}}
TAKEN = ["penalty", "penalty", "rescue", "end"]


def test_every_rule_is_checked():
    assert {*CASES, "RecordedActions"} == own_parts(SWITCH_RULE)


def test_what_repeats_a_record(tmp_path):
    (tmp_path / "alternation.json").write_text(json.dumps({"switches": [{"to": action} for action in TAKEN]}))
    check_switch_rule({"type": "RecordedActions", "file": str(tmp_path / "alternation.json")})


@pytest.mark.parametrize("name", CASES)
def test_our_own(name):
    check_switch_rule({"type": name, **CASES[name]})
    check_switch_rule({"type": name, **CASES[name], "relative": True, "max_actions": 20})


class Falling(SwitchRule):
    """A third party's rule: a bar that rises with every success."""

    actions, measures = ("try", "rest"), ("score",)

    def __init__(self):
        self.bar = 0.0

    def begin(self, measured):
        self.bar = measured["score"] / 2

    def decide(self, measured):
        if measured["score"] < self.bar:
            return "rest"
        self.bar = min(self.bar + 0.05, 1.0)
        return "try"


def test_a_third_partys():
    check_switch_rule(Falling)
    check_switch_rule(Falling())


class Strange(Falling):
    def decide(self, measured):
        return "sleep"


class Forgetful(Falling):
    def state_dict(self):
        return {}


class Random(Falling):
    def decide(self, measured):
        return random.choice(self.actions)


class NotPlain(Falling):
    def begin(self, measured):
        self.bar, self.seen = 0.0, {1, 2}


class Worded(Falling):
    @property
    def thresholds(self):
        return {"bar": "high"}


class Unnamed(Falling):
    measures = ()


@pytest.mark.parametrize(
    "part, clause",
    [
        (Strange, "one of its actions or end; it said 'sleep'"),
        (Forgetful, "what it remembers is in state_dict"),
        (Random, "it draws no random numbers"),
        (NotPlain, "plain values that JSON can hold"),
        (Worded, "a mapping of names to numbers"),
        (Unnamed, "begin takes the measures"),
    ],
)
def test_broken_clauses_are_named(part, clause):
    with pytest.raises(ContractError, match=clause):
        check_switch_rule(part)
