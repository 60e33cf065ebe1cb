"""Rules of keys, known and required keys, and what the errors of each say."""

from __future__ import annotations

import pytest

from reidzoo.checks import Rule
from reidzoo.errors import ConfigError
from reidzoo.yaml_check import TYPES, check_mapping, check_value, mistake, show_value
from reidzoo.yaml_marks import Marked, parse_yaml

RULES = {"TITLE": TYPES[str], "SEEDS": Rule("an integer, at least 1", lambda value: type(value) is int and value > 0)}


def parse(text):
    return parse_yaml(text, lambda line: f"a.yml:{line}")


def test_a_right_value_is_returned_plain():
    assert check_value(parse("[1, {a: x}]"), TYPES[list], "KEY") == [1, {"a": "x"}]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (bool, ["true"], ["1", "yes", "null"]),
        (int, ["3"], ["3.0", "true", "010"]),
        (float, ["3", "3.5"], ["true", "'3'"]),
        (str, ["x", "no", "''"], ["3", "null", "[x]"]),
        (list, ["[]"], ["x", "{}"]),
        (dict, ["{}"], ["x", "[]"]),
    ],
)
def test_types(kind, right, wrong):
    assert all(TYPES[kind].accepts(parse(text).value) for text in right)
    assert not any(TYPES[kind].accepts(parse(text).value) for text in wrong)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("{TITLE: x,\n SEEDS: 0}", "a", "a.yml:2: a.SEEDS: expected an integer, at least 1, got 0"),
        ("{SEEDS: 1, TITEL: x}", "a", "a.yml:1: unknown key a.TITEL; did you mean a.TITLE?"),
        ("{SEEDS: 1, TITEL: x}", "", "a.yml:1: unknown key TITEL; did you mean TITLE?"),
        ("QUUX: 1", "a", "a.yml:1: unknown key a.QUUX; a has TITLE, SEEDS"),
        ("QUUX: 1", "", "a.yml:1: unknown key QUUX; the top level has TITLE, SEEDS"),
        ("TITLE: x", "a", "a.yml:1: a: SEEDS is missing"),
        ("{}", "a", "a.yml:1: a: TITLE, SEEDS are missing"),
        ("{}", "", "a.yml:1: TITLE, SEEDS are missing"),
        ("[a]", "a", "a.yml:1: a: expected a mapping with TITLE, SEEDS"),
    ],
)
def test_a_mapping_s_mistakes(text, name, message):
    with pytest.raises(ConfigError) as caught:
        check_mapping(parse(text), RULES, name, required=RULES)
    assert str(caught.value) == message


def test_a_right_mapping_keeps_its_places():
    entries = check_mapping(parse("TITLE: x\nSEEDS: 2"), RULES, "")
    assert {key: (node.value, node.where) for key, node in entries.items()} == {
        "TITLE": ("x", "a.yml:1"),
        "SEEDS": (2, "a.yml:2"),
    }


def test_an_override_names_its_key_once():
    assert str(mistake(Marked(1, "override SEED"), "SEED", "wrong")) == "override SEED: wrong"
    assert str(mistake(Marked(1, "override SEED"), "STAGES.a.SEED", "wrong")) == "override SEED: STAGES.a.SEED: wrong"


def test_values_are_shown_as_yaml_writes_them_and_cut():
    shown = [show_value(value) for value in (None, True, 1.5, "x", [1], {"a": 1})]
    assert shown == ["null", "true", "1.5", "the string 'x'", "[1]", "{'a': 1}"]
    assert len(show_value("x" * 200)) == 80
