"""The project as a whole: its stages share runs where they should, and a run that dies is taken up bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reidzoo.config import dump, load_config, stage_configs

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
    assert ours["pretrain2"].pop("STREAM") != theirs.pop("STREAM")  # the same training from other random numbers
    assert ours["pretrain2"] == theirs


@pytest.mark.parametrize(
    "clusterer", ["{type: KMeans, num_clusters: 9}", "{type: AdaptiveDBSCAN, k1: 5, k2: 2, share: 0.1, min_samples: 2}"]
)
def test_a_run_that_dies_in_the_middle_of_an_epoch_ends_as_one_that_did_not(
    small_config, resumes_bit_for_bit, clusterer
):
    changes = {"STAGES.mmt.CLUSTERER": clusterer, "SOLVER.CHECKPOINT_ITERS": 3}
    changes |= {"STAGES.mmt.WEIGHTS": "null", "STAGES.pretrain": "null", "STAGES.pretrain2": "null"}
    whole = resumes_bit_for_bit(lambda name: small_config(name, **changes), "mmt", at=7, saved=(1, 2))
    assert set(json.loads((whole / "results.json").read_text())) == {"DukeMTMC twin"}


def test_more_processes_learn_the_same(small_config, train_in_one_and_two, tmp_path):
    """Both networks, both teachers and the clusters; four processes have one group of batch norm each."""
    changes = {"STAGES.mmt.WEIGHTS": "null", "STAGES.pretrain": "null", "STAGES.pretrain2": "null"}
    # Adam makes a whole step of the rounding error that a gradient near 0 is, of another sign on another processor.
    changes["STAGES.mmt.OPTIMIZERS.model"] = "{_REPLACE_: true, type: SGD, lr: 1.0e-3, params: [student, student2]}"
    path = tmp_path / "config.yml"
    path.write_text(dump(small_config(**{**changes, "MODEL.BN_GROUP": 4, "SOLVER.ITERS_PER_EPOCH": 2})))
    runs = [run / "mmt" for run in train_in_one_and_two(path, counts=(1, 2, 4))]
    states = [torch.load(run / "model_final.pth", weights_only=True) for run in runs]
    for state in states[1:]:
        for name, labels in states[0]["labels"].items():
            assert torch.equal(state["labels"][name], labels)
        for part, weights in states[0]["parts"].items():
            for key, value in weights.items():
                torch.testing.assert_close(state["parts"][part][key], value, rtol=1e-3, atol=1e-4)
