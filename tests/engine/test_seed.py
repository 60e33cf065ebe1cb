from __future__ import annotations

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.runs.pipeline import Pipeline


@pytest.fixture
def trained(write_config, tmp_path):
    """Return a function that trains for two steps and returns the model's weights."""

    def trained(name, **changes):
        path = write_config(f"{name}.yml", OUTPUT_DIR=str(tmp_path / name), **changes)
        Pipeline(load_config(path, opts=["SOLVER.MAX_EPOCHS", 1, "SOLVER.ITERS_PER_EPOCH", 2])).train()
        folder = tmp_path / name / "second" if "STAGES" in changes else tmp_path / name
        return torch.load(folder / "model_final.pth", weights_only=True)["parts"]["model"]

    return trained


def test_an_offset_is_another_seed(trained):
    """Weights, batches and augmentation begin from the sum: offset 2 on seed 1 is seed 3, bit for bit."""
    three, sum_of_both, one = trained("a", SEED=3), trained("b", SEED=1, SEED_OFFSET=2), trained("c", SEED=1)
    assert all(torch.equal(sum_of_both[key], value) for key, value in three.items())
    assert not torch.equal(one["backbone.conv1.weight"], three["backbone.conv1.weight"])


def test_a_stage_repeats_another_with_other_numbers(trained):
    second = trained("d", SEED=1, STAGES={"first": {}, "second": {"SEED_OFFSET": 2}})
    assert all(torch.equal(second[key], value) for key, value in trained("e", SEED=3).items())
