from __future__ import annotations

import json

import pytest

from reidzoo.errors import ConfigError
from reidzoo.hooks import ConstantThresholds

SWITCHES = {
    "identity": [{"measure": "identity", "above": 0.5, "next": "adversarial"}],
    "adversarial": [{"measure": "identity", "below": 0.3, "next": "identity"}],
}


def decisions(rule, *values):
    rule.begin({"identity": values[0]})
    return "".join(rule.decide({"identity": value})[0] for value in values)


def test_two_thresholds_switch_both_ways_and_the_first_decision_is_the_start():
    values = [0.9, 0.4, 0.5, 0.6, 0.4, 0.3, 0.2, 0.4]
    assert decisions(ConstantThresholds("identity", SWITCHES), *values) == "iiiaaaii"


def test_a_plain_transcription_of_the_papers_sentence():
    """Optimise L_I until the error is below a target; then L_adv, until it is above a trigger; and so on."""
    values = [0.6, 0.55, 0.61, 0.6, 0.57, 0.54, 0.52, 0.6, 0.63, 0.5, 0.7]
    expected, problem = "", "i"
    for number, value in enumerate(values):
        if number and problem == "i" and 1 - value < 1 - 0.6:
            problem = "a"
        elif number and problem == "a" and 1 - value > 1 - 0.55:
            problem = "i"
        expected += problem
    relative = {
        "identity": [{"measure": "identity", "above": 0.0, "next": "adversarial"}],
        "adversarial": [{"measure": "identity", "below": -0.05, "next": "identity"}],
    }
    rule = ConstantThresholds("identity", relative, relative=True)
    assert decisions(rule, *values) == expected == "iiaaaiiiaia"


def test_the_first_switch_that_holds_decides_and_end_ends():
    switches = {"a": [{"measure": "x", "below": 0.1, "next": "end"}, {"measure": "x", "below": 0.5, "next": "b"}]}
    rule = ConstantThresholds("a", switches)
    assert (rule.actions, rule.measures) == (["a", "b"], ["x"])
    rule.begin({"x": 1.0})
    assert [rule.decide({"x": x}) for x in (0.0, 0.7)] == ["a", "a"] and rule.thresholds == {"below_x": 0.1}
    assert rule.decide({"x": 0.05}) == "end"
    assert rule.decide({"x": 0.0}) == "end"


def test_an_action_without_switches_is_repeated_and_actions_may_be_counted():
    rule = ConstantThresholds("a", {}, max_actions=2)
    rule.begin({})
    assert [rule.decide({}) for _ in range(3)] == ["a", "a", "end"]


def test_thresholds_and_state():
    rule = ConstantThresholds("identity", SWITCHES, relative=True)
    assert decisions(rule, 0.2, 0.8) == "ia"
    assert rule.thresholds == {"below_identity": pytest.approx(0.5)}
    other = ConstantThresholds("identity", SWITCHES, relative=True)
    other.load_state_dict(json.loads(json.dumps(rule.state_dict())))
    assert vars(other) == vars(rule)


@pytest.mark.parametrize(
    "switch",
    [
        {"measure": "x", "next": "a"},
        {"measure": "x", "above": 1, "below": 0, "next": "a"},
        {"above": 1, "next": "a"},
        {"measure": "x", "above": 1, "next": "a", "after": 3},
    ],
)
def test_incomplete_switches_are_refused(switch):
    with pytest.raises(ConfigError, match="a switch of ConstantThresholds is"):
        ConstantThresholds("a", {"a": [switch]})
