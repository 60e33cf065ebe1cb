"""The rule of ADIN's authors against a plain transcription of their main loop, and its thresholds one by one."""

from __future__ import annotations

import json
import random

import pytest

from reidzoo.errors import ConfigError


class Exhausted(Exception):
    """There are no more accuracies."""


def plain_loop(measure, rounds=60, steps=None):
    """The main loop of adinTrain.py: three branches, a rescue repeated within its round; returns the decisions."""
    steps = [] if steps is None else steps
    first_i, first_n = measure()
    a_i, a_n = first_i, first_n
    goal, trigger_i, trigger_n = a_i, a_i - 0.01, a_n - 0.1
    wanted_i, wanted_n = first_i + 0.2, first_n - 0.5
    for _ in range(rounds):
        if a_i < trigger_i:
            while a_i < goal:
                steps.append("rescue")
                a_i, a_n = measure()
            goal = a_i
            trigger_i = goal - 0.01
            trigger_n = min(trigger_n, a_n - 0.1)
        elif a_n > trigger_n:
            steps.append("penalty")
            a_i, a_n = measure()
        else:
            steps.append("renew")
            a_i, a_n = measure()
            goal = max(goal, a_i)
            trigger_i = goal - 0.01
            trigger_n = min(trigger_n, a_n - 0.1)
            if a_n < wanted_n and a_i > wanted_i:
                break
    steps.append("end")
    return steps


def source(seed, length):
    """Return what gives accuracies one after the other: a random walk of either, in hundredths, then Exhausted."""
    rng = random.Random(seed)
    identity, nuisance = rng.randint(30, 95), rng.randint(50, 99)
    values = [(identity, nuisance)]
    for _ in range(length - 1):
        identity = min(max(identity + rng.randint(-6, 6), 0), 100)
        nuisance = min(max(nuisance + rng.randint(-25, 20), 0), 100)
        values.append((identity, nuisance))
    stream = iter(values)

    def measure():
        try:
            identity, nuisance = next(stream)
        except StopIteration:
            raise Exhausted from None
        return identity / 100, nuisance / 100

    return measure


def replay(rule, measure):
    """Drive a rule as the hook does; returns its decisions, as many as there are accuracies for."""
    steps = []

    def measured():
        return dict(zip(("identity", "nuisance"), measure()))

    found = measured()
    rule.begin(found)
    while True:
        steps.append(rule.decide(found))
        if steps[-1] == "end":
            return steps
        try:
            found = measured()
        except Exhausted:
            return steps


@pytest.fixture
def begin(project):
    from adin import AuthorsRule

    def make(identity=0.6, nuisance=0.9, **rules):
        rule = AuthorsRule(**rules)
        rule.begin({"identity": identity, "nuisance": nuisance})
        return rule

    return make


def decide(rule, identity, nuisance):
    return rule.decide({"identity": identity, "nuisance": nuisance})


def test_300_sequences_are_decided_as_the_plain_loop_decides_them(project):
    from adin import AuthorsRule

    kinds: dict[str, int] = {}
    for seed in range(300):
        expected: list[str] = []
        try:
            plain_loop(source(seed, 400), steps=expected)
        except Exhausted:
            kinds["cut"] = kinds.get("cut", 0) + 1  # it would rescue for ever
        found = replay(AuthorsRule(), source(seed, 400))
        assert found == expected, seed
        for name in set(expected):
            kinds[name] = kinds.get(name, 0) + 1
    assert min(kinds[name] for name in ("rescue", "penalty", "renew", "end")) > 50, kinds


def test_a_rescue_loop_is_one_round_and_its_end_sets_the_goal_to_what_it_reached(begin):
    rule = begin(0.6, 0.9)
    assert rule.thresholds == pytest.approx({"goal_identity": 0.6, "trigger_identity": 0.59, "trigger_nuisance": 0.8})
    assert [decide(rule, 0.5, 0.7), decide(rule, 0.595, 0.85)] == [
        "rescue",
        "rescue",
    ]  # above its trigger, below its goal
    assert rule.round == 1
    assert decide(rule, 0.66, 0.95) == "penalty"
    assert rule.thresholds == pytest.approx({"goal_identity": 0.66, "trigger_identity": 0.65, "trigger_nuisance": 0.8})
    assert decide(rule, 0.645, 0.95) == "rescue"  # 0.66 is the goal now, not 0.6


def test_the_nuisances_trigger_never_rises(begin):
    rule = begin(0.6, 0.9)
    assert decide(rule, 0.6, 0.80) == "renew"
    assert decide(rule, 0.6, 0.95) == "penalty"
    assert rule.thresholds["trigger_nuisance"] == pytest.approx(0.8)  # not 0.85
    assert [decide(rule, 0.6, 0.82), decide(rule, 0.6, 0.78)] == ["penalty", "renew"]


def test_a_renewal_raises_the_goal_and_never_lowers_it(begin):
    rule = begin(0.6, 0.9)
    assert [decide(rule, 0.6, 0.7), decide(rule, 0.55, 0.5)] == ["renew", "rescue"]
    assert rule.thresholds["goal_identity"] == 0.6
    rule = begin(0.6, 0.9)
    assert [decide(rule, 0.6, 0.7), decide(rule, 0.7, 0.5)] == ["renew", "penalty"]
    assert rule.thresholds["goal_identity"] == 0.7 and rule.thresholds["trigger_nuisance"] == pytest.approx(0.4)


def test_it_stops_when_a_fresh_nuisance_classifier_is_far_below_the_first(begin):
    rule = begin(stop_nuisance=0.3, stop_identity=0.0)
    assert decide(rule, 0.7, 0.5) == "renew"  # not before the classifiers are fresh
    assert decide(rule, 0.7, 0.59) == "end"
    unreachable = begin(0.85, 0.9)
    assert decide(unreachable, 1.0, 0.2) == "renew" and decide(unreachable, 1.0, 0.2) != "end"


def test_rescues_may_be_bounded_and_may_follow_the_last_round(begin):
    rule = begin(max_rescues=2)
    assert [decide(rule, 0.5, 0.9) for _ in range(3)] == ["rescue", "rescue", "penalty"]
    assert rule.thresholds["goal_identity"] == 0.5
    literal = begin(max_rounds=1)
    assert [decide(literal, 0.6, 0.9), decide(literal, 0.3, 0.2)] == ["penalty", "end"]
    rule = begin(max_rounds=1, final_rescue=True, max_rescues=2)
    assert [decide(rule, 0.6, 0.9)] + [decide(rule, 0.3, 0.2) for _ in range(3)] == [
        "penalty", "rescue", "rescue", "end",
    ]  # fmt: skip
    rule = begin(max_rounds=1, final_rescue=True)
    assert [decide(rule, 0.6, 0.9), decide(rule, 0.6, 0.9)] == ["penalty", "end"]


def test_state_goes_through_json(begin):
    first, second = begin(), begin(0.1, 0.1)
    decide(first, 0.5, 0.7)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert vars(second) == vars(first)
    assert [decide(second, 0.6, 0.85), decide(first, 0.6, 0.85)] == ["penalty"] * 2


def test_mistakes(begin):
    with pytest.raises(ConfigError, match="max_rounds"):
        begin(max_rounds=0)
    with pytest.raises(ConfigError, match="nuisance_drop must be"):
        begin(nuisance_drop=10)
