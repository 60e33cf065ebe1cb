"""The project as a whole: its stages share runs where they should, and a run that dies is taken up bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.hooks import LogHook
from reidzoo.runs.pipeline import Pipeline

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parents[3] / "projects"


def stages(file, *overlays):
    configs = stage_configs(load_config(PROJECTS / file, overlays=[PROJECTS / overlay for overlay in overlays]))
    for cfg in configs.values():
        cfg.defrost()
        cfg.PLUGINS, cfg.OUTPUT_DIR = [], ""
        cfg.HOOKS.pop("probe", None)  # DomainMix measures something more
    return configs


def test_pretraining_is_the_one_of_domainmix():
    theirs = stages("DomainMix/rp_msmt.yml", "DomainMix/small.yml")["pretrain"]
    ours = stages("MMT/mini.yml")
    assert ours["pretrain"] == theirs
    assert ours["pretrain2"].pop("SEED_OFFSET") > 100 and theirs.pop("SEED_OFFSET") == 0
    assert ours["pretrain2"] == theirs


def test_small_is_an_overlay_too():
    assert stages("MMT/randperson_msmt.yml", "MMT/small.yml") == stages("MMT/mini.yml")


def flat(value, prefix=""):
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {name: leaf for key, item in items for name, leaf in flat(item, f"{prefix}.{key}").items()}
    return {prefix: value}


@pytest.mark.parametrize(
    "clusterer", ["{type: KMeans, num_clusters: 9}", "{type: AdaptiveDBSCAN, k1: 5, k2: 2, share: 0.1, min_samples: 2}"]
)
def test_a_run_that_dies_in_the_middle_of_an_epoch_ends_as_one_that_did_not(
    small_config, tmp_path, monkeypatch, clusterer
):
    changes = {"STAGES.mmt.CLUSTERER": clusterer, "SOLVER.CHECKPOINT_ITERS": 3}
    changes |= {"STAGES.mmt.WEIGHTS": "null", "STAGES.pretrain": "null", "STAGES.pretrain2": "null"}
    Pipeline(small_config("whole", **changes)).train()

    log = LogHook.after_train_iter

    def die(self, runner, *args, **kwargs):
        log(self, runner, *args, **kwargs)
        if runner.iter == 7 and runner.output_dir.name == "mmt":
            raise InterruptedError

    monkeypatch.setattr(LogHook, "after_train_iter", die)
    with pytest.raises(InterruptedError):
        Pipeline(small_config("died", **changes)).train()
    monkeypatch.undo()
    last = torch.load(tmp_path / "died/mmt/last.pth", weights_only=True)
    assert (last["epoch"], last["step"]) == (1, 2)
    Pipeline(small_config("died", **changes)).train(go_on=True)

    ours, theirs = (
        flat(torch.load(tmp_path / name / "mmt/model_final.pth", weights_only=True)) for name in ("died", "whole")
    )
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert torch.equal(ours[key], value) if isinstance(value, torch.Tensor) else ours[key] == value, key
    for file in ("metrics.jsonl", "results.json"):
        assert (tmp_path / "died/mmt" / file).read_bytes() == (tmp_path / "whole/mmt" / file).read_bytes()
    assert set(json.loads((tmp_path / "whole/mmt/results.json").read_text())) == {"DukeMTMC twin"}
