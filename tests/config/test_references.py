from __future__ import annotations

import pytest
from yacs.config import CfgNode

from reidzoo.config.references import fill_seed, map_references, referenced_stages

CONFIG = CfgNode(
    {
        "A": {"model": "stage:one", "list": ["x", {"labels": "stage:two/a/b.csv"}, "stage:one/c"], "n": 3},
        "B": "no stage:one",
        "C": ("stage:three", None),
    },
    new_allowed=True,
)


def test_references_are_replaced_wherever_they_stand():
    mapped = map_references(CONFIG, lambda name, file: f"{name}|{file}")
    assert mapped.A == {"model": "one|", "list": ["x", {"labels": "two|a/b.csv"}, "one|c"], "n": 3}
    assert (mapped.B, mapped.C) == ("no stage:one", ("three|", None))
    assert CONFIG.A.model == "stage:one"
    with pytest.raises(AttributeError):
        mapped.A.model = "other"


def test_each_stage_is_named_once():
    assert referenced_stages(CONFIG) == ["one", "two", "three"]
    assert referenced_stages("plain") == []


def test_the_runs_seed():
    cfg = CfgNode(
        {"SEED": 3, "TESTS": [{"split": "run:seed"}, "run:seeds"], "A": {"split": "run:seed"}}, new_allowed=True
    )
    filled = fill_seed(cfg)
    assert filled.TESTS == [{"split": 3}, "run:seeds"] and filled.A.split == 3
    assert cfg.A.split == "run:seed"
