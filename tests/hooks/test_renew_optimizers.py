from __future__ import annotations

import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline


def steps_of_adam(write_config, tmp_path, name, *opts):
    """Return how many steps Adam's moments remember at the end of 3 epochs of 4 steps."""
    path = write_config(
        OUTPUT_DIR=str(tmp_path / name), SOLVER={"IMS_PER_BATCH": 8, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 3}
    )
    Pipeline(load_config(path, opts=opts)).train()
    state = torch.load(tmp_path / name / "model_final.pth", weights_only=True)["optims"]["model"]["state"]
    return {int(entry["step"]) for entry in state.values()}


def test_moments_begin_anew_in_each_epoch_from_the_first_named_on(write_config, tmp_path):
    assert steps_of_adam(write_config, tmp_path, "plain") == {12}
    assert steps_of_adam(write_config, tmp_path, "all", "HOOKS.renew", "{type: RenewOptimizersHook}") == {4}
    late = "{type: RenewOptimizersHook, begin_epoch: 3}"
    assert steps_of_adam(write_config, tmp_path, "late", "HOOKS.renew", late) == {12}


def test_the_scale_of_float16_gradients_is_kept(write_config, tmp_path):
    """A scale that begins anew in every epoch is too large for its first steps, which are left out."""
    cfg = load_config(write_config(SOLVER={"PRECISION": "fp16"}))
    arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
    trainer = TRAINER.build(cfg.TRAINER, **arguments)
    trainer.optims["model"].scaler = scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    for keep in (False, True):
        trainer.renew_optimizers(keep)
        assert trainer.optims["model"].scaler is scaler


def test_the_schedule_still_sets_the_learning_rate(write_config, tmp_path):
    hooks = {"renew": {"type": "RenewOptimizersHook"}, "schedule": {"type": "MultiStepSchedule", "milestones": [1, 2]}}
    path = write_config(
        HOOKS=hooks, SOLVER={"IMS_PER_BATCH": 8, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 3}, LOG={"PERIOD": 1}
    )
    Pipeline(load_config(path)).train()
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    rates = [line.split('"lr/model": ')[1].rstrip("}") for line in lines if "lr/model" in line]
    assert [round(float(rate) / 3.5e-4, 6) for rate in rates] == [1, 0.1, 0.01]
