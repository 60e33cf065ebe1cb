"""The project as a whole: its tables' rows, and a run that dies or is shared by two processes."""

from __future__ import annotations

import json

import pytest
import torch

from reidzoo.config import dump, load_config, stage_configs

from .conftest import PROJECT

pytestmark = pytest.mark.slow

KEEP_KEYS = '''
from reidzoo import distributed
from reidzoo.hooks import Hook
from reidzoo.registry import HOOK
import torch

@HOOK.register_module()
class KeepKeysHook(Hook):
    """Writes every process's memory after every step."""
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        name = f"keys-{distributed.world_size()}-{distributed.rank()}-{runner.iter}.pt"
        torch.save(runner.parts["exemplar"].state_dict(), runner.output_dir / name)
'''


@pytest.mark.parametrize("file", ["duke_market.yml", "mini_batch.yml"])
def test_a_run_that_dies_in_the_middle_of_an_epoch_ends_as_one_that_did_not(
    tiny_config, tmp_path, resumes_bit_for_bit, file
):
    changes = {"SOLVER.CHECKPOINT_ITERS": 2, "DATASETS.TRAIN.target.styles": "color_transfer"}
    resumes_bit_for_bit(
        lambda name: tiny_config(file, **changes, OUTPUT_DIR=tmp_path / name), "adapt", at=6, saved=(1, 1)
    )


@pytest.mark.parametrize("file", ["duke_market.yml", "mini_batch.yml"])
def test_two_processes_equal_one_and_hold_the_same_memory_after_each_step(
    tiny_config, tmp_path, train_in_one_and_two, file
):
    (tmp_path / "keep_keys.py").write_text(KEEP_KEYS)
    changes = {"HEAD.dropout": 0.0, "HEAD.target_dropout": 0.0, "SOLVER.MAX_EPOCHS": 2}
    config, overlay = tmp_path / "config.yml", tmp_path / "overlay.yml"
    config.write_text(dump(tiny_config(file, **changes, **{"DATASETS.TRAIN.target.styles": "color_transfer"})))
    overlay.write_text("PLUGINS: [./keep_keys.py]\nHOOKS: {keep: {type: KeepKeysHook}}\n")
    runs = train_in_one_and_two(config, "--overlay", overlay)
    one, two = ([json.loads(line) for line in (run / "adapt/metrics.jsonl").read_text().splitlines()] for run in runs)
    assert len(one) == len(two) == 7
    for row, other in zip(one[:-1], two[:-1], strict=True):
        assert other == pytest.approx(row, rel=1e-3)
    for step in range(1, 7):
        files = [tmp_path / str(n) / f"adapt/keys-{n}-{rank}-{step}.pt" for n, rank in ((1, 0), (2, 0), (2, 1))]
        alone, first, second = (torch.load(file) for file in files)
        for key, value in first.items():
            assert torch.equal(value, second[key])
            torch.testing.assert_close(value, alone[key], rtol=1e-3, atol=1e-3)


def stages(file, *overlays):
    return stage_configs(load_config(PROJECT / file, overlays=[PROJECT / overlay for overlay in overlays]))


def test_the_papers_settings():
    (cfg,) = stages("duke_market.yml").values()
    memory, optim = cfg.MEMORIES.exemplar, cfg.OPTIMIZERS.model
    assert (memory.temperature, memory.neighbours, memory.neighbours_from) == (0.05, 6, 5)
    assert cfg.TRAINER.target_weight == 0.3 and cfg.HEAD.features == 4096
    assert (optim.lr, optim.lr_mult["model.backbone"], optim.nesterov) == (0.1, 0.1, True)
    assert (cfg.SOLVER.MAX_EPOCHS, cfg.SOLVER.IMS_PER_BATCH, cfg.HOOKS.schedule.milestones) == (60, 128, [40])
    assert cfg.TEST.AP == "trapezoid" and cfg.BACKBONE.last_stride == 2
    assert "erase" in cfg.INPUT.TRANSFORMS
    for file in ("market_msmt.yml", "duke_msmt.yml"):
        (cfg,) = stages(file).values()
        assert "erase" not in cfg.INPUT.TRANSFORMS
