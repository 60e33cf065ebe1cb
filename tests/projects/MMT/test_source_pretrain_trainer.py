from __future__ import annotations

import copy

import pytest
import torch

from reidzoo.engine.build import build_train_sets
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline


@pytest.fixture
def trainer(small_config, tmp_path):
    cfg = Pipeline(small_config()).stages["pretrain"]
    sets, device = build_train_sets(cfg), torch.device("cpu")
    trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=tmp_path, device=device)
    trainer.parts.train()
    return trainer


def test_the_target_moves_statistics_only(trainer):
    batch = next(trainer.loader.epoch(0))
    assert trainer.num_classes == 12 and (batch["target"]["pid"] == -1).all()
    states = []
    for target in (batch["target"], {"img": torch.zeros_like(batch["target"]["img"])}):
        before, optimizer = (
            copy.deepcopy(trainer.parts.state_dict()),
            copy.deepcopy(trainer.optims["model"].state_dict()),
        )
        trainer.step_model({"source": batch["source"], "target": target})
        states.append(copy.deepcopy(trainer.model.state_dict()))
        trainer.parts.load_state_dict(before)
        trainer.optims["model"].load_state_dict(optimizer)
    statistics = {key for key, _ in trainer.model.named_buffers()}
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0].keys() - statistics)
    assert not torch.equal(states[0]["head.bn.running_mean"], states[1]["head.bn.running_mean"])


def test_nothing_is_erased_while_pretraining(trainer):
    assert list(trainer.cfg.INPUT.TRANSFORMS) == ["flip", "crop", "normalize"]
