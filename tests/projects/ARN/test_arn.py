"""The project as a whole: its files, and a run that dies or is shared by two processes."""

from __future__ import annotations

import json

import pytest
import torch

from reidzoo.config import dump
from reidzoo.tables import make_plan, read_table

from .conftest import PROJECT, stages

pytestmark = pytest.mark.slow

DRAFT = {"INPUT.SIZE": "[64, 32]", "MODEL.image_widths": "[8, 6, 4, 4, 3]"}


@pytest.mark.parametrize("file, at", [("duke_market.yml", 3), ("duke_market.yml", 7), ("duke_market_draft.yml", 7)])
def test_a_run_that_dies_in_the_middle_of_an_epoch_ends_as_one_that_did_not(
    tiny_config, tmp_path, resumes_bit_for_bit, file, at
):
    """E_I is frozen from the second epoch on, of four steps each: it dies while E_I is tuned, and when it is not."""
    changes = {"HOOKS.freeze.begin_epoch": 1} if file == "duke_market.yml" else DRAFT

    def config(name):
        return tiny_config(file, **{"SOLVER.CHECKPOINT_ITERS": 2, "OUTPUT_DIR": tmp_path / name}, **changes)

    resumes_bit_for_bit(config, "adapt", at=at, saved=(at // 4, 2))


def test_two_processes_equal_one(tiny_config, tmp_path, train_in_one_and_two):
    config = tmp_path / "config.yml"
    changes = {"HEAD.dropout": 0.0, "HOOKS.freeze.begin_epoch": 1, "SOLVER.MAX_EPOCHS": 2}
    changes["LOSSES.difference.weight"] = 0.1  # 1500 is for 2048 features; for 16 it makes of float error a large one
    changes["LOSSES.contrastive.margin"] = 1.0  # some pairs are within it, another share of half a batch's
    config.write_text(dump(tiny_config(**changes)))
    runs = train_in_one_and_two(config)
    one, two = ([json.loads(line) for line in (run / "adapt/metrics.jsonl").read_text().splitlines()] for run in runs)
    assert len(one) == len(two) == 9
    assert {"id", "contrastive", "reconstruction_source", "reconstruction_target", "difference"} <= one[0].keys()
    assert any(0 < row["active"] < 1 for row in one[:-1])
    for row, other in zip(one[:-1], two[:-1], strict=True):
        assert other == pytest.approx(row, rel=1e-4)
    states = [torch.load(run / "adapt/model_final.pth", weights_only=True) for run in runs]
    for key, value in states[0]["parts"]["model"].items():
        torch.testing.assert_close(states[1]["parts"]["model"][key], value, rtol=1e-3, atol=1e-4)


def test_the_papers_settings():
    (cfg,) = stages("duke_market.yml").values()
    weights = {name: node.get("weight", 1.0) for name, node in cfg.LOSSES.items()}
    rebuilding = {"reconstruction_source": 2.0, "reconstruction_target": 2.0}
    assert weights == {"id": 1.0, "contrastive": 0.01, **rebuilding, "difference": 1500.0}
    assert tuple(cfg.INPUT.SIZE) == (224, 224) and (cfg.BACKBONE.depth, cfg.BACKBONE.last_stride) == (50, 2)
    assert cfg.TEST.METRIC == "cosine" and cfg.OPTIMIZERS.model.type == "SGD" and not cfg.TEST.FLIP
    assert "erase" not in cfg.INPUT.TRANSFORMS


def test_the_twins_backbone_stands_where_imagenets_does(tmp_path):
    for file in ("duke_market.yml", "duke_market_draft.yml"):
        pretrain, adapt = stages(file, "small.yml").values()
        assert pretrain.BACKBONE.pretrained == "" and adapt.BACKBONE.pretrained == "stage:pretrain"
        assert pretrain.DATASETS.TRAIN == {"train": "RandPerson"} and pretrain.MODEL.type == "Embedder"
        assert list(pretrain.INPUT.TRANSFORMS) == ["flip", "crop", "normalize", "erase"]
    plan = make_plan(read_table(PROJECT / "table2.yml"), tmp_path, [0], mini=True)
    names = [unit.name for unit in plan.units.values()]
    assert sum("pretrain" in name for name in names) == 2 and sum("adapt" in name for name in names) == 8
