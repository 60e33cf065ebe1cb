"""The card says what its sidecar says."""

from __future__ import annotations

import pytest
import yaml

from reidzoo.config import get_cfg
from reidzoo.publishing.model_card import model_card

SIDECAR = {
    "name": "mine", "config": None, "stage": "train", "data": "crops", "seed": 0, "command": "reidzoo train",
    "commit": "abc",
    "versions": {"reidzoo": "0.1.0"}, "backbone": "ResNet-18, width 16", "dtype": "float16", "size": 1234567,
    "sha256": "f" * 64, "licence": "CC-BY-4.0", "code_version": "v3",
    "kept_metrics": {"crops": {"mAP": 0.5, "rank-1": 0.75}, "Market1501 twin": {"mAP": 0.25, "rank-1": 0.5}},
    "intervals": {"crops": {"queries": 40, "mAP": [0.4, 0.61], "rank-1": [0.6, 0.86]}, "Market1501 twin": {}},
}  # fmt: skip


@pytest.fixture
def card():
    return model_card(SIDECAR, get_cfg())


def test_the_figures_have_their_intervals(card):
    assert "| crops | 50.0 (40.0 to 61.0) | 75.0 (60.0 to 86.0) | 40 |" in card
    assert "| Market1501 twin | 25.0 | 50.0 |  |" in card, "a protocol that draws its queries has no interval"


def test_the_head_is_what_hubs_read(card):
    head = yaml.safe_load(card.split("---")[1])
    assert head["license"] == "cc-by-4.0" and head["library_name"] == "reidzoo"
    assert "license" not in yaml.safe_load(model_card({**SIDECAR, "licence": "not stated"}, get_cfg()).split("---")[1])


def test_what_it_is_of_and_for(card):
    assert "1,234,567 bytes" in card and "own code v3" in card and 'reidzoo.load("mine.safetensors")' in card
    assert "## Intended use" in card and "## Limits" in card


@pytest.mark.parametrize("start", ["zoo://imagenet_mobilenet_v2", "stage:pretrain", ""])
def test_weights_that_are_not_the_runs_own_are_named(start):
    cfg = get_cfg()
    cfg.BACKBONE.pretrained = start
    assert (f"| began with | `{start}` |" in model_card(SIDECAR, cfg)) == start.startswith("zoo:")
