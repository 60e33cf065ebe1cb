"""A stage is built and takes its steps on made-up images, and nothing is left of it."""

from __future__ import annotations

import logging
import re
from functools import wraps

import numpy as np
import pytest
import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.made_up_images import MadeUpImages
from reidzoo.errors import ConfigError
from reidzoo.losses import TripletLoss
from reidzoo.models.embedder import Embedder
from reidzoo.runs.pipeline import Pipeline
from reidzoo.runs.rehearsal import Rehearsal
from reidzoo.samplers import IdentitySampler

SHORT = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 1}
LATER = {"WEIGHTS": {"model": "stage:first"}}


@pytest.fixture
def stages(write_config):
    def stages(**second):
        path = write_config(SOLVER=SHORT, STAGES={"first": {}, "second": {**LATER, **second}})
        return Pipeline(load_config(path))

    return stages


@pytest.mark.parametrize(
    "second, message",
    [
        ({"OPTIMIZERS": {"model": {"params": ["model.neck"]}}}, "nothing to train is called 'model.neck'"),
        ({"LOSSES": {"extra": {"type": "CrossEntropyLoss", "phase": "other"}}}, "no phase 'other'"),
        ({"HOOKS": {"turns": {"type": "EpochPhaseHook", "order": ["other"]}}}, "no phase 'other'"),
        ({"HEAD": {"type": "DualBranchHead", "width": "wide"}}, "width must be"),
    ],
)
def test_a_mistake_in_the_second_stage_ends_the_run_before_the_first(stages, tmp_path, second, message):
    with pytest.raises(ConfigError, match=f"stage second: .*{message}"):
        stages(**second).train()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_nothing_is_written_or_said_and_the_configuration_stays(stages, tmp_path, caplog):
    pipeline = stages()
    before = {name: repr(cfg) for name, cfg in pipeline.stages.items()}
    with caplog.at_level(logging.INFO, logger="reidzoo"):
        pipeline.dry_run().findings.raise_if_any()
    assert not caplog.records and not (tmp_path / "run").exists()
    assert {name: repr(cfg) for name, cfg in pipeline.stages.items()} == before
    assert all(cfg.is_frozen() for cfg in pipeline.stages.values())


@pytest.mark.slow
def test_a_stage_that_waits_for_labels_has_some(stages):
    waits = {"type": "PseudoLabeled", "dataset": "Market1501", "labels": "stage:first/labels.csv"}
    nothing = {"model": {"params": ["model.neck"]}}
    pipeline = stages(DATASETS={"TRAIN": {"train": waits}}, OPTIMIZERS=nothing, WEIGHTS_IGNORE=["head.classifier.*"])
    (text,) = pipeline.dry_run().findings.texts()
    assert text.startswith("stage second: ") and "model.neck" in text


def test_the_smallest_batch_has_one_identity(stages, tmp_path):
    cfg = stages().stages["first"]
    rehearsal = Rehearsal(cfg, lambda: build_train_sets(cfg), tmp_path / "here", torch.device("cpu"))
    rehearsal.run()
    assert (rehearsal.batch, rehearsal.steps, rehearsal.phases) == (4, 1, ["model"])
    assert rehearsal.size > 4 * 3 * rehearsal.parameters  # Adam's two moments, too


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_sampler_that_does_not_heed_the_epoch_is_said(write_config, tmp_path, monkeypatch, epochs):
    usual = IdentitySampler.batches
    monkeypatch.setattr(IdentitySampler, "batches", lambda self, seed, epoch, count: usual(self, seed, 0, count))
    path = write_config(SOLVER={**SHORT, "MAX_EPOCHS": epochs})
    cfg = Pipeline(load_config(path)).stages["train"]
    rehearsal = Rehearsal(cfg, lambda: build_train_sets(cfg), tmp_path / "here", torch.device("cpu"))
    rehearsal.run()
    assert rehearsal.same_epochs == (epochs > 1)


def test_a_sampler_that_draws_from_a_global_generator_is_refused(stages, tmp_path, monkeypatch):
    usual = IdentitySampler.batches
    drawn = lambda self, seed, epoch, count: usual(self, np.random.randint(1000), epoch, count)  # noqa: E731
    monkeypatch.setattr(IdentitySampler, "batches", drawn)
    cfg = stages().stages["first"]
    rehearsal = Rehearsal(cfg, lambda: build_train_sets(cfg), tmp_path / "here", torch.device("cpu"))
    with pytest.raises(ConfigError, match="SAMPLER: IdentitySampler draws other batches of 'train'"):
        rehearsal.run()


def test_a_loss_whose_value_has_no_gradient_is_said_and_refused_where_it_is_alone(write_config, monkeypatch):
    pull = {"pull": {"type": "TripletLoss"}}
    path = write_config(LOSSES={"id": {"type": "CrossEntropyLoss"}, **pull})
    assert Pipeline(load_config(path)).dry_run().notes == {}
    usual = TripletLoss.forward
    monkeypatch.setattr(TripletLoss, "forward", wraps(usual)(lambda *args, **tensors: usual(*args, **tensors).detach()))
    (note,) = Pipeline(load_config(path)).dry_run().notes
    assert note.startswith("stage train: LOSSES.pull gave a value without a gradient")
    (text,) = Pipeline(load_config(write_config(LOSSES=pull))).dry_run().findings.texts()
    assert text.startswith("LOSSES.pull gave a value without a gradient")


def test_a_loss_that_is_no_number_is_found_out(write_config, monkeypatch):
    usual = TripletLoss.forward
    monkeypatch.setattr(TripletLoss, "forward", wraps(usual)(lambda *args, **given: usual(*args, **given) * torch.nan))
    losses = {"id": {"type": "CrossEntropyLoss"}, "pull": {"type": "TripletLoss"}}
    (text,) = Pipeline(load_config(write_config(LOSSES=losses))).dry_run().findings.texts()
    assert "is nan in a step of phase model on random images; look at its loss" in text


@pytest.mark.parametrize("spoil", [lambda feat: feat * torch.nan, lambda feat: feat[None], lambda feat: feat[:1]])
def test_an_embedding_that_cannot_be_ranked_is_found_out(write_config, monkeypatch, spoil):
    usual = Embedder.embed
    monkeypatch.setattr(Embedder, "embed", lambda self, *args, **given: spoil(usual(self, *args, **given)))
    (text,) = Pipeline(load_config(write_config())).dry_run().findings.texts()
    assert "MODEL: embed gives" in text and "a MODEL gives finite (2, D)" in text


@pytest.mark.slow
def test_negative_values_that_gem_pools_are_said_and_a_relus_map_has_none(write_config, caplog):
    vit = {"_REPLACE_": True, "type": "TimmBackbone", "name": "test_vit", "options": {"depth": 1}}
    assert Pipeline(load_config(write_config(HEAD={"pooling": "gem"}))).dry_run().notes == {}
    path = write_config(SOLVER=SHORT, HEAD={"pooling": "gem+max"}, BACKBONE=vit)
    with caplog.at_level(logging.WARNING, logger="reidzoo"):
        Pipeline(load_config(path)).train()
    assert re.search(r"stage train: [45]\d% of what GeM pools is negative, .* set HEAD.pooling to avg", caplog.text)


def test_made_up_images_are_the_same_each_time():
    table = MadeUpImages(ImageTable(["nowhere.jpg", "neither.jpg"], (8, 4), "bilinear", cache="off"))
    first, again = (table[np.array([1, 0])] for _ in range(2))
    assert first.shape == (2, 3, 8, 4) and first.dtype == torch.uint8
    assert torch.equal(first, again) and not torch.equal(first[0], first[1])
