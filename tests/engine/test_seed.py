from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_loader, build_train_sets
from reidzoo.engine.seed import seed_of
from reidzoo.runs.pipeline import Pipeline

MINIS = sorted((Path(__file__).parents[2] / "projects").glob("*/mini*.yml"))


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


def test_the_stream_is_the_stages_name_and_goes_with_it(trained):
    """A stage run alone under its name, as a table runs it, is the stage of the whole run, bit for bit."""
    second = trained("d", SEED=1, STAGES={"first": {}, "second": {}})
    assert all(torch.equal(second[key], value) for key, value in trained("e", SEED=1, STREAM="second").items())
    assert not torch.equal(second["backbone.conv1.weight"], trained("f", SEED=1)["backbone.conv1.weight"])


def batches(cfg, epochs):
    """Return the rows and the pixels of the batches of some epochs."""
    loader = build_loader(cfg, build_train_sets(cfg), torch.device("cpu"))
    return [(batch["index"], batch["img"]) for epoch in epochs for batch in loader.epoch(epoch)]


def test_no_two_stages_see_the_same_batch_and_pixels(write_config):
    """Stages on the same set with the same SEED: neither a batch nor, of one image in one place, its crop repeats."""
    path = write_config("a.yml", SEED=0, STAGES={"first": {}, "second": {}})
    first, second = stage_configs(load_config(path, ["SOLVER.ITERS_PER_EPOCH", 4])).values()
    ours, theirs = batches(first, range(3)), batches(second, range(3))
    assert all(torch.equal(a[1], b[1]) for a, b in zip(ours, batches(first, range(3))))
    for rows, pixels in ours:
        for other_rows, others in theirs:
            assert not torch.equal(rows, other_rows)
            shared = rows == other_rows
            assert not any(torch.equal(a, b) for a, b in zip(pixels[shared], others[shared]))


@pytest.mark.parametrize("path", MINIS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_stage_of_every_project_has_numbers_of_its_own(path):
    seeds = [seed_of(cfg) for seed in range(5) for cfg in stage_configs(load_config(path, ["SEED", seed])).values()]
    assert len(set(seeds)) == len(seeds) and all(0 <= seed < 2**32 for seed in seeds)
