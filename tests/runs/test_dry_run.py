"""What a run would end with later is said before its first step, all of it at once, and nothing remains of that."""

from __future__ import annotations

import random
import re
import shutil
from collections import namedtuple

import numpy as np
import pytest
import torch

from reidzoo import commands
from reidzoo.config import load_config
from reidzoo.engine.evaluate import evaluate_targets
from reidzoo.errors import ConfigError, DatasetError, EvaluationError, UserError, WeightsError
from reidzoo.hooks import evaluate
from reidzoo.runs.dry_run import DryRun
from reidzoo.runs.pipeline import Pipeline

from ..conftest import ADVERSARIAL, assert_equal_runs

SHORT = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 2}
LABELS = {"type": "PseudoLabeled", "dataset": "MSMT17", "labels": "stage:label/pseudo_labels.csv"}
CHAIN = {
    "label": {
        "DATASETS": {
            "TRAIN": {"train": None, "source": "RandPerson", "target": {"type": "Unlabeled", "dataset": "MSMT17"}}
        },
        "TRAINER": {"type": "DomainAdaptationTrainer"},
        "MEMORIES": {"memory": {"type": "HybridMemory"}},
        "CLUSTERER": {"type": "JaccardDBSCAN", "eps": 0.9, "min_samples": 2, "k1": 6, "k2": 3},
        "LOSSES": {
            **dict.fromkeys(("id", "triplet")),
            "source": {"type": "CrossEntropyLoss", "inputs": {"logits": "source_scores", "pid": "source_label"}},
        },
        "HOOKS": {
            "memory": {"type": "MemoryHook"},
            "labels": {"type": "PseudoLabelHook", "outliers": "singletons"},
            "export": {"type": "ExportPseudoLabelsHook"},
        },
    },
    "train": {
        **{key: ADVERSARIAL[key] for key in ("TRAINER", "DISCRIMINATORS", "LOSSES", "OPTIMIZERS")},
        "DATASETS": {"TRAIN": {"train": ["RandPerson", LABELS]}},
        "WEIGHTS": {"model": "stage:label"},
        "WEIGHTS_IGNORE": ["head.classifier.*"],
        "HOOKS": {"phase": {"type": "IterationPhaseHook", "steps": {"discriminator": 1, "model": 1}}},
    },
}
"""A stage that labels, and one that takes its labels and its weights."""


def states():
    return torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()


def found(path, *opts):
    return Pipeline(load_config(path, opts)).dry_run().findings.texts()


@pytest.mark.slow
def test_nothing_remains_of_it(write_config, tmp_path, monkeypatch):
    for name in ("with", "without"):
        path = write_config(OUTPUT_DIR=str(tmp_path / name), SOLVER=SHORT, STAGES=CHAIN)
        run = Pipeline(load_config(path))
        if name == "without":
            monkeypatch.setattr(DryRun, "run", lambda self: self)
        before = states()
        run.dry_run()
        assert states() == before and not run.folder.path.exists()
        run.train()
    for stage in CHAIN:
        assert_equal_runs(tmp_path / "with" / stage, tmp_path / "without" / stage)


@pytest.mark.slow
def test_it_says_what_it_saw(write_config):
    dry_run = Pipeline(load_config(write_config(SOLVER=SHORT, STAGES=CHAIN))).dry_run()
    assert dry_run.findings.texts() == [] and not dry_run.notes
    text = dry_run.tables()
    assert "discriminator, model" in text and "source: 72 of 12" in text and "Market1501 twin" in text
    assert "2 stages with 3 phases and 1 test sets tried" in text


BROKEN = {
    "a loss of a later stage": ("STAGES.train.LOSSES.id.type", "CrosEntropyLoss", ConfigError, "stage train.*CrossEn"),
    "an argument of its head": ("STAGES.train.HEAD.poling", "gem", ConfigError, "stage train: .*BNNeck.*poling"),
    "its sampler's K": ("STAGES.train.SAMPLER.num_instances", "5", ConfigError, "stage train: .*multiple"),
    "a phase": ("STAGES.train.HOOKS.phase.steps", "{modle: 1}", ConfigError, "stage train: .*no phase 'modle'"),
    "an optimizer": ("STAGES.train.OPTIMIZERS.discriminator", "null", ConfigError, "stage train: no optimizer trains"),
    "an optimizer of torch": (
        "OPTIMIZERS.model", "{type: torch.optim.Foo, lr: 0.1}", ConfigError, "optim has no 'Foo'"
    ),
    "a schedule's optimizer": (
        "STAGES.train.HOOKS.schedule", "{type: CosineSchedule, optimizers: [head]}", ConfigError, "names the optim",
    ),
    "a frozen layer": (
        "STAGES.train.HOOKS.freeze", "{type: FreezeHook, modules: [backbone.layer9]}", ConfigError, "names nothing",
    ),
    "weights that are no file": ("STAGES.train.WEIGHTS.discriminator", "gone.pth", WeightsError, "gone.pth"),
    "weights that do not fit": ("STAGES.train.BACKBONE.width", "8", WeightsError, "run/label/.*does not fit"),
    "a result of a later stage": ("STAGES.label.WEIGHTS.model", "stage:train", ConfigError, "written by stage train"),
    "a loss's tensor": (
        "STAGES.train.LOSSES.other", "{type: torch.nn.MSELoss}", ConfigError, "takes 'input', and there is no tensor",
    ),
    "a discriminator": ("STAGES.train.DISCRIMINATORS.discriminator.widths", "[0]", ConfigError, "stage train"),
    "a batch that is too large": ("STAGES.label.SOLVER.IMS_PER_BATCH", "512", DatasetError, "stage label: Identity"),
    "a protocol": ("TEST.PROTOCOL", "nothing", ConfigError, "TEST.PROTOCOL"),
    "a test set without cameras": ("DATASETS.TESTS", "[VehicleID]", None, ""),
    "validation images to test on": (
        "DATASETS.TESTS", "[{type: HoldOut, dataset: Market1501, part: val}]", ConfigError, "part: val",
    ),
    "a dataset": ("DATASETS.TESTS", "[Market1501, Market1501]", ConfigError, "two datasets are called"),
}  # fmt: skip


@pytest.mark.parametrize("key, value, kind, message", BROKEN.values(), ids=BROKEN)
@pytest.mark.slow
def test_a_mistake_is_found_before_the_first_step(write_config, tmp_path, key, value, kind, message):
    run = Pipeline(load_config(write_config(SOLVER=SHORT, STAGES=CHAIN), [key, value]))
    if kind is None:
        assert run.dry_run().findings.texts() == []
        return
    with pytest.raises(kind, match=f"(?s){message}"):
        run.train()
    assert not (tmp_path / "run").exists()


def test_everything_that_is_wrong_is_said_at_once(write_config):
    path = write_config(
        SOLVER=SHORT,
        DATASETS={"TRAIN": {"train": "Market1501"}, "TESTS": ["MSMT17", "DukeMTMC"], "ROOT": "elsewhere"},
        LOSSES={"id": {"type": "CrosEntropyLoss"}},
        HEAD={"type": "BNNek"},
        HOOKS={"more": {"type": "Nothing"}},
    )
    texts = found(path)
    for word in ("Market1501", "MSMT17", "DukeMTMC", "CrosEntropyLoss", "BNNek", "HOOKS.more"):
        assert sum(word in text for text in texts) >= 1, word
    with pytest.raises(UserError, match=f"(?s)^{len(texts)} things are wrong:\n1. .*\n{len(texts)}. "):
        Pipeline(load_config(path)).train()


def test_a_part_that_breaks_is_told_by_its_place(write_config, tmp_path):
    (tmp_path / "breaking.py").write_text(
        "from torch import nn\n\nfrom reidzoo.registry import LOSS\n\n\n@LOSS.register_module(force=True)\n"
        "class BreakingLoss(nn.Module):\n    def forward(self, feat):\n        return feat.nothing\n"
    )
    path = write_config(PLUGINS=["breaking"], SOLVER=SHORT, LOSSES={"id": {"type": "BreakingLoss"}})
    (text,) = found(path)
    assert "AttributeError" in text and "forward (breaking.py:9)" in text


def test_a_loss_that_needs_a_large_batch_gets_it(write_config, tmp_path):
    (tmp_path / "greedy.py").write_text(
        "from torch import nn\n\nfrom reidzoo.registry import LOSS\n\n\n@LOSS.register_module(force=True)\n"
        "class GreedyLoss(nn.Module):\n    def forward(self, feat):\n        assert len(feat) == 16\n"
        "        return feat.square().mean()\n"
    )
    path = write_config(
        PLUGINS=["greedy"], SOLVER=SHORT, LOSSES={"id": {"type": "CrossEntropyLoss"}, "greedy": {"type": "GreedyLoss"}}
    )
    dry_run = Pipeline(load_config(path)).dry_run()
    assert dry_run.findings.texts() == [] and "16 (16)" in dry_run.tables()


# ---- what lies on the disk -------------------------------------------------------------------------------------------


@pytest.fixture
def own_root(tiny_root, tmp_path):
    """A copy of the tiny datasets that may be damaged."""
    name = "Market-1501-v15.09.15"
    shutil.copytree(tiny_root / name, tmp_path / "data" / name)
    return tmp_path / "data"


def test_one_identity_is_nobody_to_tell_from_somebody(write_config, own_root):
    train = own_root / "Market-1501-v15.09.15/bounding_box_train"
    first = sorted(path.name for path in train.glob("*.jpg"))[0][:4]
    for path in train.glob("*.jpg"):
        if not path.name.startswith(first):
            path.unlink()
    path = write_config(SOLVER=SHORT, DATASETS={"TRAIN": {"train": "Market1501"}, "ROOT": str(own_root), "TESTS": []})
    (text,) = found(path)
    assert "DATASETS.TRAIN.train: all " in text and "images are of one identity" in text


@pytest.mark.slow
def test_images_that_cannot_be_read_are_named(write_config, own_root):
    images = sorted(own_root.rglob("*.jpg"))
    images[0].write_bytes(b"nothing")
    path = write_config(SOLVER=SHORT, DATASETS={"ROOT": str(own_root)})
    (text,) = found(path)
    assert images[0].name in text and "cannot be read (it is of no known format)" in text
    assert text.endswith("(`reidzoo check --deep` finds all such images before a run)")
    for image in images[1:6]:
        image.write_bytes(b"")
    (text,) = found(path)
    assert "6 images cannot be used" in text and "and 3 more" in text


@pytest.mark.slow
def test_damaged_pixels_are_found_if_they_are_looked_at(write_config, own_root):
    image = sorted(own_root.rglob("*.jpg"))[-1]
    image.write_bytes(image.read_bytes()[:-20])
    run = Pipeline(load_config(write_config(SOLVER=SHORT, DATASETS={"ROOT": str(own_root)})))
    assert run.dry_run().findings.texts() == []
    (text,) = run.dry_run(deep=True, seconds=None).findings.texts()
    assert image.name in text and "--deep" not in text


def test_the_checkpoints_have_to_fit_on_the_disk_and_one_more_for_a_moment(write_config, monkeypatch, tmp_path):
    usage, path = namedtuple("usage", "total used free"), write_config(SOLVER=SHORT)

    def found_with(free):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, int(free)))
        return found(path)

    (text,) = found_with(1000)
    megabytes = float(re.search(r"OUTPUT_DIR: the checkpoints take about ([\d.]+) MB, and 0\.0 MB are free", text)[1])
    assert found_with(0.7e6 * megabytes) and not found_with(1.5e6 * megabytes)  # of one stage, half is its last one
    (tmp_path / "run").mkdir()
    (tmp_path / "run/last.pth").write_bytes(b"x" * int(0.9e6 * megabytes))  # which the next one takes the place of
    assert not found_with(0.7e6 * megabytes)


def test_a_gallery_without_a_match_is_told_in_the_words_of_a_configuration(write_config, own_root):
    for image in (own_root / "Market-1501-v15.09.15" / "bounding_box_test").iterdir():
        image.rename(image.with_name("0999" + image.name[4:]))
    run = Pipeline(load_config(write_config(SOLVER=SHORT, DATASETS={"ROOT": str(own_root)})))
    with pytest.raises(EvaluationError, match=r"Market1501: .*no query has a true match"):
        run.train()


# ---- the commands ----------------------------------------------------------------------------------------------------


def test_check_prints_a_table_and_writes_nothing(write_config, tmp_path, capsys):
    commands.call("check", write_config(SOLVER=SHORT), "SOLVER.MAX_EPOCHS", 1, "--deep")
    printed = capsys.readouterr().out
    assert "Market1501 twin" in printed and "pixels of" in printed
    assert not (tmp_path / "run").exists()


def test_check_says_which_stages_are_done_and_so_not_tried(write_config, capsys):
    path = write_config(SOLVER=SHORT)
    (stage,) = Pipeline(load_config(path)).folder.stages.values()
    stage.checkpoint.parent.mkdir(parents=True)
    stage.checkpoint.touch()
    commands.call("check", path)
    assert "so not tried: train;" in capsys.readouterr().out
    commands.call("check", path, "--output-dir", stage.path.parent / "other")
    assert "so not tried" not in capsys.readouterr().out


def test_check_takes_the_arguments_of_train(write_config, tmp_path):
    path = write_config(SOLVER=SHORT)
    commands.call("check", "--config-file", path, "--resume", "--output-dir", tmp_path / "other", "--seed", 3)
    with pytest.raises(WeightsError, match="--eval-only needs a checkpoint"):
        commands.call("check", path, "--eval-only")
    with pytest.raises(UserError, match="holds no folders of people"):
        commands.call("check", tmp_path)
    with pytest.raises(UserError, match="what is to be checked"):
        commands.call("check")


def test_check_ends_with_2_and_everything_that_is_wrong(write_config, capsys):
    with pytest.raises(SystemExit) as ended:
        commands.main(["check", str(write_config(SOLVER=SHORT)), "HEAD.type", "BNNek", "LOSSES.id.type", "Cros"])
    printed = capsys.readouterr().err
    assert ended.value.code == 2 and "2 things are wrong" in printed and "BNNek" in printed and "Cros" in printed


# ---- an evaluation that fails half-way -------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_evaluation_that_fails_half_way_loses_no_step(write_config, tmp_path, monkeypatch):
    def config(name):
        solver = {**SHORT, "MAX_EPOCHS": 3, "CHECKPOINT_PERIOD": 3}
        return load_config(write_config(SOLVER=solver, TEST={"EVAL_PERIOD": 2}, OUTPUT_DIR=str(tmp_path / name)))

    def fail(*_):
        raise MemoryError("no room")

    Pipeline(config("whole")).train()
    monkeypatch.setattr(evaluate, "evaluate_targets", fail)
    with pytest.raises(MemoryError):
        Pipeline(config("failed")).train()
    monkeypatch.setattr(evaluate, "evaluate_targets", evaluate_targets)
    state = torch.load(tmp_path / "failed/last.pth", weights_only=True)
    assert (state["epoch"], state["step"], state["iter"]) == (1, 2, 4)
    Pipeline(config("failed")).train(go_on=True)
    assert_equal_runs(tmp_path / "failed", tmp_path / "whole")
