from __future__ import annotations

import pytest

from reidzoo.errors import ConfigError
from reidzoo.tables import Claim, is_table, read_table
from reidzoo.yaml_marks import unmark

TOP = "METRICS: [mAP]\nTARGET: Market1501\n"
ROW = "ROWS: {a: {CONFIG: stages.yml}}\n"


def test_a_table_file(table):
    read = table()
    assert (read.title, read.metrics, read.seeds) == ("A table", ("mAP", "rank-1"), 2)
    assert list(read.rows) == ["one", "gap", "two", "other", "last"]
    assert list(read.variants) == [""]
    one, two = read.rows["one"], read.rows["two"]
    assert (one.label, one.stage, one.target, one.paper) == ("The first", "first", "Market1501", {"": {"mAP": 40.0}})
    assert two.paper == {"": {"mAP": 42.5, "rank-1": 70.0}}
    assert one.config.name == "stages.yml" and one.config.is_file()
    assert read.rows["gap"].gap == "no data" and read.rows["gap"].config is None
    assert read.rows["last"].stage is None and read.rows["last"].label == "last"
    assert unmark(read.rows["other"].overrides.tree) == {"STAGES": {"second": {"LOSSES": {"id": {"smoothing": 0.1}}}}}
    assert read.claims == [Claim("one", "two", "mAP", ("",))]
    assert read.overlay(one, "").name == "small.yml"


def test_what_may_be_left_out(table):
    read = table(TOP + ROW)
    assert (read.title, read.seeds, read.claims) == ("table1", 1, [])
    with pytest.raises(ConfigError, match=r"ROWS\.a: --mini: .* OVERLAY"):
        read.overlay(read.rows["a"], "")


def test_variants(table, write):
    write("b.yml", "")
    write("c.yml", "")
    read = table(
        "METRICS: [mAP, probe/accuracy]\nTARGET: X\nVARIANTS: {A: {}, B: {BACKBONE: {ibn: a}}}\n"
        "OVERLAY: {A: small.yml, B: b.yml}\n"
        "ROWS:\n  a: {CONFIG: stages.yml, TARGET: Y, PAPER: {B: {mAP: 3, probe/accuracy: 9}}}\n"
        "  b: {CONFIG: stages.yml, OVERLAY: c.yml}\n"
        "CLAIMS: [{WORSE: a, BETTER: a, METRIC: mAP}, {WORSE: a, BETTER: b, METRIC: mAP, VARIANT: B}]\n"
    )
    assert unmark(read.variants["B"].tree) == {"BACKBONE": {"ibn": "a"}}
    assert read.rows["a"].paper == {"B": {"mAP": 3.0, "probe/accuracy": 9.0}}
    assert [claim.variants for claim in read.claims] == [("A", "B"), ("B",)]
    assert (read.rows["a"].target, read.rows["b"].target) == ("Y", "X")
    overlays = [[read.overlay(read.rows[row], variant).name for variant in "AB"] for row in "ab"]
    assert overlays == [["small.yml", "b.yml"], ["c.yml", "c.yml"]]


def test_profiles_are_overlays_by_name_and_variant(table, write):
    for name in "ab":
        write(f"{name}.yml", "SEED: 1")
    read = table(
        TOP + "VARIANTS: {A: {}, B: {}}\nPROFILES: {whole: a.yml, part: {B: a.yml}}\n"
        "ROWS:\n  x: {CONFIG: stages.yml}\n  y: {CONFIG: stages.yml, PROFILES: {part: b.yml}}\n"
    )
    assert {name: list(files) for name, files in read.profiles.items()} == {"whole": ["A", "B"], "part": ["B"]}
    assert [read.overlay(read.rows[row], "B", "part").name for row in "xy"] == ["a.yml", "b.yml"]
    assert read.overlay(read.rows["y"], "A", "whole").name == "a.yml"


def test_a_sweep_makes_rows(table):
    read = table(
        TOP + "SWEEPS:\n  beta:\n    LABEL: the beta\n    CONFIG: stages.yml\n    STAGE: first\n"
        "    KEY: LOSSES.id.weight\n    VALUES: [1.0e-2, 1, true]\n    PAPER: {'0.01': {mAP: 5}, '1': {mAP: 6}}\n"
    )
    assert list(read.rows) == ["beta=0.01", "beta=1", "beta=true"]
    assert [row.opts for row in read.rows.values()] == [("LOSSES.id.weight", value) for value in (0.01, 1, True)]
    assert [row.paper.get("") for row in read.rows.values()] == [{"mAP": 5.0}, {"mAP": 6.0}, None]
    assert read.rows["beta=1"].label == "the beta = 1"
    assert read.sweeps["beta"].rows == {"0.01": "beta=0.01", "1": "beta=1", "true": "beta=true"}


def test_a_sweep_may_vary_several_keys_together(table):
    keys = "KEY: [STAGES.first.LOSSES.id.weight, STAGES.second.LOSSES.id.weight]"
    read = table(TOP + f"SWEEPS:\n  w:\n    CONFIG: stages.yml\n    {keys}\n    VALUES: [2]\n")
    keys = ["STAGES.first.LOSSES.id.weight", "STAGES.second.LOSSES.id.weight"]
    assert read.rows["w=2"].opts == (keys[0], 2, keys[1], 2)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (TOP + ROW + "CLAIM: []", ["table1.yml:4", "CLAIM", "did you mean CLAIMS?"]),
        (TOP + "ROWS: {a: {CONFG: stages.yml}}", ["table1.yml:3", "ROWS.a", "CONFG", "CONFIG?"]),
        (TOP + "ROWS: {a: {LABEL: x}}", ["table1.yml:3", "ROWS.a", "CONFIG", "GAP"]),
        (TOP + "ROWS: {a: {CONFIG: stages.yml, GAP: x}}", ["ROWS.a", "both"]),
        (TOP + "ROWS: {a: {CONFIG: stage.yml}}", ["ROWS.a.CONFIG", "stage.yml", "did you mean stages.yml?"]),
        (TOP + "ROWS: {a: {CONFIG: [x]}}", ["ROWS.a.CONFIG", "expected a string"]),
        (TOP + "ROWS: [a]", ["ROWS", "expected a mapping"]),
        (TOP, ["needs ROWS or SWEEPS"]),
        ("TARGET: X\n" + ROW, ["METRICS", "mINP"]),
        ("METRICS: [map]\nTARGET: X\n" + ROW, ["table1.yml:1", "metric map", "mAP"]),
        ("METRICS: []\nTARGET: X\n" + ROW, ["METRICS", "at least one"]),
        ("METRICS: [mAP]\n" + ROW, ["ROWS.a", "TARGET"]),
        (TOP + "SEEDS: 0\n" + ROW, ["table1.yml:3", "SEEDS", "at least 1"]),
        (TOP + "SEEDS: true\n" + ROW, ["SEEDS", "expected an integer"]),
        (TOP + "OVERLAY: smal.yml\n" + ROW, ["OVERLAY", "small.yml?"]),
        (TOP + "OVERLAY: {X: small.yml}\n" + ROW, ["OVERLAY", "variant X"]),
        (TOP + "PROFILES: {x: smal.yml}\n" + ROW, ["PROFILES.x", "small.yml?"]),
        (TOP + "PROFILES: {x: 3}\n" + ROW, ["PROFILES.x", "mapping of variants"]),
        (
            TOP + "ROWS: {a: {CONFIG: stages.yml, PROFILES: {x: small.yml}}}",
            ["ROWS.a.PROFILES", "profile of this table x"],
        ),
        (TOP + "ROWS: {a: {CONFIG: stages.yml, PAPER: {rank-1: 3}}}", ["ROWS.a.PAPER", "rank-1"]),
        (TOP + "ROWS: {a: {CONFIG: stages.yml, PAPER: {mAP: x}}}", ["ROWS.a.PAPER", "expected a number"]),
        (TOP + "VARIANTS: {R50: {}}\nROWS: {a: {GAP: x, PAPER: {R5: {mAP: 3}}}}", ["variant R5", "R50?"]),
        (TOP + ROW + "CLAIMS: [{WORSE: a, BETTER: b, METRIC: mAP}]", ["table1.yml:4", "CLAIMS.BETTER", "row b"]),
        (TOP + ROW + "CLAIMS: [{WORSE: a, METRIC: mAP}]", ["CLAIMS", "BETTER is missing"]),
        (TOP + ROW + "CLAIMS: [{WORSE: a, BETTER: a, METRIC: rank-1}]", ["CLAIMS.METRIC", "rank-1"]),
        (TOP + ROW + "CLAIMS: [{WORSE: a, BETTER: a, METRIC: mAP, VARIANT: B}]", ["CLAIMS.VARIANT", "B"]),
        (TOP + "SWEEPS: {x: {CONFIG: stages.yml, KEY: SEED}}", ["SWEEPS.x", "VALUES is missing"]),
        (TOP + "SWEEPS: {x: {CONFIG: stages.yml, KEY: SEED, VALUES: [1], PAPER: {'2': {mAP: 1}}}}", ["value 2"]),
        (TOP + "ROWS: {x=1: {GAP: y}}\nSWEEPS: {x: {CONFIG: stages.yml, KEY: SEED, VALUES: [1]}}", ["x=1 already"]),
    ],
)
def test_mistakes_have_their_place(table, text, parts):
    with pytest.raises(ConfigError) as caught:
        table(text)
    for part in parts:
        assert part in str(caught.value)
    assert "table1.yml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yml: no such file"):
        read_table(tmp_path / "none.yml")
    (tmp_path / "some.jpg").write_bytes(b"\xff\xd8")
    for read in (read_table, is_table):
        with pytest.raises(ConfigError, match=r"some\.jpg: cannot be read"):
            read(tmp_path / "some.jpg")
