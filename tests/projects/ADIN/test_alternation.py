from __future__ import annotations

import pytest

from reidzoo.errors import ConfigError


@pytest.fixture
def begin(project):
    from adin import Alternation

    def make(identity=0.6, nuisance=0.9, **rules):
        alternation = Alternation(**rules)
        alternation.begin(identity, nuisance)
        return alternation

    return make


def test_thresholds_of_the_authors_code(begin):
    alternation = begin(0.6, 0.9)
    wanted = {"goal": 0.6, "trigger_identity": 0.59, "trigger_nuisance": 0.8}
    assert alternation.thresholds == pytest.approx(wanted)


def test_penalties_until_the_nuisance_has_fallen_then_everything_anew(begin):
    alternation = begin()
    assert alternation.decide(0.6, 0.9) == "penalty"
    assert alternation.decide(0.595, 0.85) == "penalty"
    assert alternation.decide(0.595, 0.80) == "renew"
    assert alternation.thresholds["goal"] == 0.6
    assert alternation.decide(0.62, 0.78) == "penalty"  # fresh classifiers have raised the goal
    wanted = {"goal": 0.62, "trigger_identity": 0.61, "trigger_nuisance": 0.68}
    assert alternation.thresholds == pytest.approx(wanted)
    assert alternation.round == 4


def test_a_renewal_never_lowers_the_goal(begin):
    alternation = begin()
    assert alternation.decide(0.6, 0.7) == "renew"
    assert alternation.decide(0.55, 0.5) == "rescue"
    assert alternation.thresholds["goal"] == 0.6


def test_rescues_until_the_goal_is_reached_again(begin):
    alternation = begin()
    assert alternation.decide(0.5, 0.7) == "rescue"  # whatever the nuisance
    assert alternation.decide(0.595, 0.85) == "rescue"  # above its trigger, below its goal
    assert alternation.thresholds["trigger_nuisance"] == pytest.approx(0.8)
    assert alternation.decide(0.6, 0.85) == "penalty"
    assert alternation.thresholds == pytest.approx({"goal": 0.6, "trigger_identity": 0.59, "trigger_nuisance": 0.75})


def test_it_stops_when_a_fresh_nuisance_classifier_is_far_below_the_first(begin):
    alternation = begin(stop_nuisance=0.3, stop_identity=0.0)
    assert alternation.decide(0.7, 0.5) == "renew"  # not before the classifiers are fresh
    assert alternation.decide(0.7, 0.59) == "end"
    unreachable = begin(0.85, 0.9)
    assert unreachable.decide(1.0, 0.2) == "renew" and unreachable.decide(1.0, 0.2) != "end"


def test_the_last_round_is_followed_by_rescues_if_it_did_harm(begin):
    alternation = begin(max_rounds=1, extra_rescues=2)
    assert [alternation.decide(0.6, 0.9), alternation.decide(0.6, 0.9)] == ["penalty", "end"]
    alternation = begin(max_rounds=1, extra_rescues=2)
    assert [alternation.decide(0.6, 0.9)] + [alternation.decide(0.3, 0.2) for _ in range(3)] == [
        "penalty", "rescue", "rescue", "end",
    ]  # fmt: skip
    literal = begin(max_rounds=1, extra_rescues=0)
    assert [literal.decide(0.6, 0.9), literal.decide(0.3, 0.2)] == ["penalty", "end"]


def test_state(begin):
    first, second = begin(), begin(0.1, 0.1)
    first.decide(0.5, 0.7)
    second.load_state_dict(first.state_dict())
    assert second == first and second.state_dict() == first.state_dict()
    assert [second.decide(0.6, 0.85), first.decide(0.6, 0.85)] == ["penalty"] * 2


def test_mistakes(begin):
    with pytest.raises(ConfigError, match="max_rounds"):
        begin(max_rounds=0)
    with pytest.raises(ConfigError, match="nuisance_drop must be"):
        begin(nuisance_drop=10)
