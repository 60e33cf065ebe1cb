"""Each point in which the authors' code departs from the paper's text is a named option of the two profiles."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.checkpoint import resume
from reidzoo.hooks import MultiStepSchedule
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[3] / "projects/DomainMix"
TINY = ["INPUT.SIZE", "[32, 16]", "SOLVER.IMS_PER_BATCH", "16", "DEVICE", "cpu", "TEST.EVAL_PERIOD", "0"]


def stages(name):
    return stage_configs(load_config(FOLDER / name))


def tiny(tiny_root, tmp_path, **options):
    """Return mini_bmvc's stage ``joint`` alone, from random weights, on the tiny datasets."""
    opts = ["DATASETS.ROOT", str(tiny_root), "OUTPUT_DIR", str(tmp_path / "run"), "BACKBONE.width", "4", *TINY]
    opts += ["STAGES.pretrain", "null", "STAGES.joint.WEIGHTS", "null", "STAGES.joint.CLUSTERER.k1", "6"]
    opts += ["STAGES.joint.CLUSTERER.min_samples", "2", "STAGES.joint.CLUSTERER.eps", "0.7"]
    opts += [item for key, value in options.items() for item in (key.replace("__", "."), str(value))]
    return load_config(FOLDER / "mini_bmvc.yml", opts=opts)


def test_v1_is_the_papers_text():
    cfg = stages("rp_msmt.yml")
    backbone, alternate = cfg["backbone"], cfg["alternate"]
    for stage in (backbone, alternate):
        assert stage.LOSSES.id.weight == 10 and set(stage.LOSSES.id) == {
            "type",
            "weight",
        }  # no temperature, no smoothing
        assert stage.LOSSES.triplet == {"type": "TripletLoss"}
        assert (stage.SOLVER.MAX_EPOCHS, stage.SOLVER.ITERS_PER_EPOCH, stage.SOLVER.IMS_PER_BATCH) == (20, 2000, 64)
    assert backbone.HOOKS.schedule.milestones == [10, 15] and backbone.OPTIMIZERS.model.lr == 3.5e-4
    assert alternate.LOSSES.balance == {"type": "DomainBalanceLoss", "weight": 1.0}
    assert alternate.OPTIMIZERS.discriminator.lr == pytest.approx(100 * alternate.OPTIMIZERS.model.lr)
    assert alternate.HOOKS.turns == {"type": "EpochPhaseHook", "order": ["discriminator", "model"]}
    export = cfg["label"].HOOKS.export
    assert (export.min_size, export.max_size) == (5, 120)
    assert (cfg["label"].SOLVER.MAX_EPOCHS, cfg["label"].SOLVER.ITERS_PER_EPOCH) == (50, 800)


def test_bmvc_is_the_authors_code():
    (cfg,) = stages("rp_msmt_bmvc.yml").values()
    assert cfg.TRAINER == {"type": "AdversarialTrainer", "discriminator_norm": "train", "domain_labels": "literal"}
    smoothed = {"type": "CrossEntropyLoss", "temperature": 2.0, "smoothing": 0.1}
    assert cfg.LOSSES.first_id == {**smoothed, "weight": 10.0, "phase": "backbone"}
    assert cfg.LOSSES.id == {**smoothed, "weight": 1.0}
    assert cfg.LOSSES.domain.temperature == 2 and "smoothing" not in cfg.LOSSES.domain
    assert cfg.HOOKS.cluster == {
        "type": "PseudoLabelHook", "target": "train", "domain": 1, "min_size": 5, "classifier": "means",
        "keep_moments": True,
    }  # fmt: skip
    assert (cfg.SOLVER.MAX_EPOCHS, cfg.HOOKS.turns.begin_epoch, cfg.HOOKS.renew.begin_epoch) == (60, 30, 30)
    assert cfg.HOOKS.turns.steps == {"discriminator": 1, "model": 9}


@pytest.mark.parametrize(("epoch", "rate"), [(0, 3.5e-6), (5, 3.5e-4), (9.9, 3.5e-4), (10, 3.5e-5), (29, 3.5e-6)])
def test_learning_rates_of_bmvc(epoch, rate):
    """After the 30th epoch the code's warm-up never leaves its first value: 3.5e-6 for both optimizers."""
    (cfg,) = stages("rp_msmt_bmvc.yml").values()
    node = cfg.HOOKS.schedule
    hook = MultiStepSchedule(**{key: value for key, value in node.items() if key != "type"})
    warm = hook.warmup_factor + (1 - hook.warmup_factor) * min(epoch / hook.warmup_epochs, 1)
    assert cfg.OPTIMIZERS.model.lr * hook.factor(epoch, 60) * warm == pytest.approx(rate)
    for later in range(30, 60):
        assert cfg.OPTIMIZERS.model.lr * hook.factor(later, 60) == pytest.approx(3.5e-6)
    assert hook.optimizers == ("model",) and cfg.OPTIMIZERS.discriminator.lr == 3.5e-6


class Watch:
    """Notes how many classes each epoch has, and ends the run in the middle of the third one if told so."""

    priority = 90

    def __init__(self, stops):
        self.stops, self.seen = stops, []

    def before_train_epoch(self, runner):
        self.seen.append((runner.epoch, runner.num_classes))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.stops and runner.iter == 10:
            runner.hooks["checkpoint"].asked_to_stop = True


def train(cfg, folder, stops=False):
    """Run the only stage of ``cfg`` in ``folder``, or go on with it; return the trainer."""
    (stage,) = Pipeline(cfg).stages.values()
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    arguments = {"sets": build_train_sets(stage), "output_dir": folder, "device": torch.device("cpu")}
    trainer = TRAINER.build(stage.TRAINER, cfg=stage, **arguments)
    hooks = {**trainer.hooks, "watch": Watch(stops)}
    trainer.hooks = dict(sorted(hooks.items(), key=lambda item: item[1].priority))
    if (folder / "last.pth").exists():
        resume(trainer, folder / "last.pth")
    trainer.train()
    return trainer


def test_a_run_of_bmvc_clusters_every_epoch_and_resumes_bit_for_bit(tiny_root, tmp_path):
    options = {"SOLVER__ITERS_PER_EPOCH": 4, "SOLVER__MAX_EPOCHS": 4, "STAGES__joint__HOOKS__cluster__min_size": 2}
    options |= {"STAGES__joint__HOOKS__turns__begin_epoch": 2, "STAGES__joint__HOOKS__renew__begin_epoch": 2}
    cfg = tiny(tiny_root, tmp_path, **options)
    whole = train(cfg, tmp_path / "whole")
    seen = whole.hooks["watch"].seen
    assert [epoch for epoch, _ in seen] == [0, 1, 2, 3] and all(classes > 12 for _, classes in seen)
    assert train(cfg, tmp_path / "killed", stops=True).iter == 10
    again = train(cfg, tmp_path / "killed")
    assert again.iter == 16
    for key, value in whole.parts.state_dict().items():
        assert torch.equal(again.parts.state_dict()[key], value), key
    results = [(tmp_path / folder / "metrics.jsonl").read_bytes() for folder in ("whole", "killed")]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TRAINER.domain_labels", "dataset"),
        ("TRAINER.discriminator_norm", "eval"),
        ("LOSSES.id.temperature", "1.0"),
        ("LOSSES.id.smoothing", "0.0"),
        ("LOSSES.id.weight", "10.0"),
        ("LOSSES.triplet.margin", "0.3"),
        ("HOOKS.renew", "null"),
        ("HOOKS.cluster.keep_moments", "false"),
        ("HOOKS.cluster.max_size", "120"),
        ("HOOKS.cluster.classifier", "random"),
        ("HOOKS.turns", "{type: EpochPhaseHook, order: [discriminator, model]}"),
    ],
)
def test_each_option_takes_the_text_s_value(key, value):
    cfg = load_config(FOLDER / "rp_msmt_bmvc.yml", opts=[f"STAGES.joint.{key}", value])
    (stage,) = stage_configs(cfg).values()
    assert stage != stages("rp_msmt_bmvc.yml")["joint"]
