"""What the two files that are literal have at their own size: the paper's text and the authors' code (adinTrain.py)."""

from __future__ import annotations

import pytest

from reidzoo.config import load_config
from reidzoo.registry import SWITCH_RULE
from reidzoo.runs.pipeline import Pipeline

SGD = {"type": "SGD", "momentum": 0.9, "nesterov": True, "weight_decay": 5.0e-4}


def plain(node):
    """A node of the configuration as dictionaries."""
    return {key: plain(value) for key, value in node.items()} if hasattr(node, "items") else node


@pytest.fixture
def stages(project):
    """Return a function that gives a file's stages."""
    return lambda file: {name: plain(cfg) for name, cfg in Pipeline(load_config(project / file)).stages.items()}


def test_the_code_is_the_codes(stages):
    cfg = stages("duke_market_code.yml")["adversarial"]
    assert cfg["TRAINER"]["full_batch"] and cfg["SOLVER"]["IMS_PER_BATCH"] == 64
    assert set(cfg["LOSSES"]) == {"id", "head", "nuisance", "adv"}
    assert all(cfg["LOSSES"][name]["type"] == "CrossEntropyLoss" for name in ("id", "head", "nuisance"))
    adv = cfg["LOSSES"]["adv"]
    assert (adv["form"], adv["normalise_weights"], adv["per_class"]) == ("cane_sample", False, True)
    rates = {"model": 1.0e-3, "head": 1.0e-3, "nuisance": 1.0e-3, "penalty": 5.0}
    for name, rate in rates.items():
        assert {**SGD, "lr": rate}.items() <= cfg["OPTIMIZERS"][name].items()
    assert cfg["OPTIMIZERS"]["head"]["params"] == ["model.head.classifier"]
    hook = cfg["HOOKS"]["alternation"]
    assert hook["rule"] == {
        "type": "AuthorsRule", "max_rounds": 60, "identity_margin": 0.01, "nuisance_drop": 0.1, "stop_nuisance": 0.5,
        "stop_identity": 0.2, "max_rescues": 0, "final_rescue": False,
    }  # fmt: skip
    assert hook["epochs"] == {"model": 15, "nuisance": 30, "head": 30} and hook["lasting"] == {"penalty": 40}
    assert hook["decay_factor"] == 0.0 and hook["resets"] == {"renew": "heads"}
    assert hook["turns"] == {
        "rescue": ["model", "nuisance", "head"], "penalty": ["penalty", "nuisance", "head"],
        "renew": ["nuisance", "head"],
    }  # fmt: skip


def test_the_text_is_the_texts(stages):
    first, cfg = (stages("duke_market_paper.yml")[name] for name in ("identity", "adversarial"))
    center = {"type": "CenterLoss", "weight": 5.0e-4}  # "always": in both stages, with the same centres
    assert first["LOSSES"]["center"] == cfg["LOSSES"]["center"] == center
    assert "identity" in cfg["WEIGHTS"]["losses"]
    assert set(cfg["LOSSES"]) == {"id", "center", "nuisance", "adv"}
    assert (cfg["LOSSES"]["adv"]["form"], cfg["LOSSES"]["adv"]["normalise_weights"]) == ("cane_eq6", False)
    assert set(cfg["OPTIMIZERS"]) == {"model", "nuisance", "penalty"}
    assert cfg["OPTIMIZERS"]["penalty"]["params"] == ["model", "nuisance"]  # Eq. 7: f_E and f_N, and not f_I
    assert cfg["OPTIMIZERS"]["penalty"]["lr_mult"] == {"model.head.classifier": 0}
    hook = cfg["HOOKS"]["alternation"]
    assert hook["turns"] == {"identity": ["model"], "adversarial": ["nuisance", "penalty"]}
    assert hook["epochs"] == {"model": 1, "nuisance": 1}


@pytest.mark.parametrize("file", ["duke_market_paper.yml", "mini_paper.yml"])
@pytest.mark.parametrize("start", [1.0, 356 / 360])
def test_the_texts_rule_gets_to_its_second_problem_from_any_accuracy(stages, file, start):
    """A first threshold that had to be passed would hold it in the first problem where nothing is left to gain."""
    rule = SWITCH_RULE.build(stages(file)["adversarial"]["HOOKS"]["alternation"]["rule"])
    measured = {"identity": start, "nuisance": 0.9}
    rule.begin(measured)
    assert [rule.decide(measured) for _ in range(2)] == ["identity", "adversarial"]
