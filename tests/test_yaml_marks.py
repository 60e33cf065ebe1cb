from __future__ import annotations

import math

import pytest

from reidzoo.errors import ConfigError
from reidzoo.yaml_marks import Doubtful, dump_yaml, parse_yaml, unmark


def parse(text):
    return unmark(parse_yaml(text, lambda line: f"a.yml:{line}"))


def fails(text):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-7", -7), ("+3", 3), ("0", 0),
        ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e-3", 1e-3), ("3.5e-4", 3.5e-4), ("1E5", 1e5), ("-.inf", -math.inf),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("1:30", "1:30"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("2020-01-01", "2020-01-01"), ("y", "y"), ("=", "="),
        ("stage:label/last.pth", "stage:label/last.pth"), ('"010"', "010"), ("'no'", "no"),
    ],
)  # fmt: skip
def test_scalars(text, value):
    got = parse(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("text", ["010", "-07", "00", "yes", "No", "on", "OFF"])
def test_what_yaml_versions_read_differently_stays_a_string_and_says_so(text):
    got = parse(text)
    assert got == text
    assert isinstance(got, Doubtful)


def test_every_value_knows_its_line():
    tree = parse_yaml("A: 1\nB:\n  C:\n    - x\n    - y\n", lambda line: f"a.yml:{line}")
    b = tree.value["B"]
    assert (tree.value["A"].where, b.where) == ("a.yml:1", "a.yml:2")
    assert b.value["C"].where == "a.yml:3"
    assert b.value["C"].value[1].where == "a.yml:5"


def test_a_duplicate_key_is_an_error():
    assert fails("A: 1\nB: {x: 1}\nA: 2") == "a.yml:3: duplicate key A, first at line 1"
    assert fails("A: [{x: 1, x: 1}]") == "a.yml:1: duplicate key x, first at line 1"


def test_keys_are_strings():
    assert fails("1: a") == "a.yml:1: keys are strings; put 1 in quotes"
    assert parse("on: 1\n'1': 2") == {"on": 1, "1": 2}


def test_broken_yaml_has_its_line():
    assert fails("A: 1\nB: [1, 2\nC: 3").startswith("a.yml:3: not valid YAML: expected ',' or ']'")
    assert fails("A: 1\n\tB: 2").startswith("a.yml:2: not valid YAML: found character '\\t'")
    assert fails("A: \x01").startswith("a.yml:1: not valid YAML: ")
    assert fails("A: 1\n---\nB: 1").startswith("a.yml:2: not valid YAML: ")


def test_only_plain_data():
    assert "is not plain data" in fails("A: !!python/object/apply:os.system [x]")
    assert fails("A: !!int abc") == "a.yml:1: 'abc' is not a int"
    assert parse("A: !!float 1") == {"A": 1.0}


def test_anchors_and_merge_keys():
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\nd: {<<: *a}"
    assert parse(text) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}, "d": {"x": 1, "y": 2}}
    assert parse("a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: *b") == {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 2}}
    assert fails("a: &a\n  b: *a") == "a.yml:1: an anchor contains itself"


def test_a_dump_reads_back_as_the_same_data():
    strings = [
        "010",
        "no",
        "on",
        "true",
        "null",
        "",
        "1e-3",
        "1",
        "~",
        "<<",
        "a: b",
        "# x",
        "ä",
        "two\nlines",
        "=",
        "1:30",
    ]
    data = {"z": strings, "a": [1, 2.0, 1e-5, 1e20, True, None, []], "no": {}, "m": {"x": {"y": [{"type": "A"}]}}}
    got = parse(dump_yaml(data))
    assert got == data
    assert list(got) == list(data)
    assert [type(value) for value in got["a"]] == [type(value) for value in data["a"]]


def test_a_dump_has_no_aliases():
    shared = [1, 2]
    assert "&" not in dump_yaml({"a": shared, "b": shared})


def _bomb(levels, form="[{0}]"):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for n in range(1, levels):
        lines.append(f"a{n}: &a{n} " + form.format(", ".join([f"*a{n - 1}"] * 9)))
    return "\n".join(lines)


def test_aliases_are_bounded():
    assert len(parse(_bomb(3))["a2"]) == 9
    with pytest.raises(ConfigError, match=r"its aliases stand for [\d,]+ values; 100,000 is the most"):
        parse(_bomb(9))
    with pytest.raises(ConfigError, match="its aliases stand for"):
        parse(_bomb(30))


def test_merged_mappings_are_bounded():
    lines = ["a0: &a0 {x: 1, y: 2}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    with pytest.raises(ConfigError, match="its aliases stand for"):
        parse("\n".join(lines))


def test_a_long_file_without_aliases_is_read():
    assert len(parse("\n".join(f"k{n}: [1, 2, 3]" for n in range(200)))) == 200


@pytest.mark.parametrize("text", ["a: " + "[" * 5000, "a: " + "[" * 5000 + "]" * 5000])
@pytest.mark.slow
def test_deep_nesting_is_an_error(text):
    with pytest.raises(ConfigError, match="not valid YAML"):
        parse(text)
