"""Each point in which the authors' code departs from the paper's text is a named option of the two profiles."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.checkpoint import resume
from reidzoo.hooks import EpochPhaseHook, MultiStepSchedule
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


def train(cfg, folder, stops=False, watch=None):
    """Run the only stage of ``cfg`` in ``folder``, or go on with it; return the trainer."""
    (stage,) = Pipeline(cfg).stages.values()
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    arguments = {"sets": build_train_sets(stage), "output_dir": folder, "device": torch.device("cpu")}
    trainer = TRAINER.build(stage.TRAINER, cfg=stage, **arguments)
    hooks = {**trainer.hooks, "watch": watch or Watch(stops)}
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


class Values:
    """Notes what each loss is in each step."""

    priority = 90

    def __init__(self):
        self.steps = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps.append({name: value.item() for name, value in outputs.items()})


@pytest.fixture(scope="module")
def values_of(tiny_root, tmp_path_factory):
    """Return a function that trains with options: two epochs of phase backbone, then one of D, model, model."""
    turns = {"begin_epoch": 2, "steps__model": 2}
    short = {f"STAGES__joint__HOOKS__turns__{key}": value for key, value in turns.items()}
    short |= {"SOLVER__ITERS_PER_EPOCH": 3, "SOLVER__MAX_EPOCHS": 3, "STAGES__joint__HOOKS__renew__begin_epoch": 2}
    short |= {"STAGES__joint__HOOKS__cluster__min_size": 2}

    def values_of(**options):
        folder = tmp_path_factory.mktemp("run")
        values = Values()
        train(tiny(tiny_root, folder, **short, **options), folder / "run", watch=values)
        return values.steps

    return values_of


@pytest.fixture(scope="module")
def plain(values_of):
    steps = values_of()
    first, adversarial = {"first_id", "first_triplet"}, {"id", "triplet", "balance"}
    assert [set(step) for step in steps] == [first] * 6 + [{"domain"}] + [adversarial] * 2
    assert steps == values_of()
    return steps


@pytest.mark.parametrize(
    ("key", "value", "step", "losses"),
    [
        ("HOOKS.cluster.classifier", "random", 0, {"first_id"}),
        ("LOSSES.first_id.temperature", "1.0", 0, {"first_id"}),
        ("LOSSES.first_id.smoothing", "0.0", 0, {"first_id"}),
        ("LOSSES.first_triplet.margin", "0.3", 0, {"first_triplet"}),
        ("HOOKS.turns", "{type: EpochPhaseHook, order: [discriminator, model]}", 0, {"domain"}),
        ("HOOKS.cluster.keep_moments", "false", 4, {"first_id"}),  # after the first step on the second clusters
        ("LOSSES.domain.temperature", "1.0", 6, {"domain"}),
        ("TRAINER.model_norm", "eval", 6, {"domain"}),
        ("TRAINER.discriminator_norm", "eval", 7, {"balance"}),
        ("LOSSES.id.temperature", "1.0", 7, {"id"}),
        ("LOSSES.id.smoothing", "0.0", 7, {"id"}),
        ("LOSSES.id.weight", "10.0", 7, {"id"}),
        ("LOSSES.triplet.margin", "0.3", 7, {"triplet"}),
        ("LOSSES.balance.type", "SymmetricKLLoss", 7, {"balance"}),
        ("HOOKS.renew", "null", 8, {"id", "triplet", "balance"}),  # the first step with moments of phase backbone is 7
    ],
)
def test_each_option_acts_where_it_should_and_nowhere_before(values_of, plain, key, value, step, losses):
    """Until this step all losses are those of the authors' code, bit by bit; in it these losses are others."""
    steps = values_of(**{f"STAGES__joint__{key}".replace(".", "__"): value})
    assert steps[:step] == plain[:step]
    assert {name for name, loss in steps[step].items() if loss != plain[step].get(name)} == losses


def test_the_order_of_the_text_ends_on_the_discriminator_and_with_an_epoch_more_on_the_model():
    (order,) = ([*reversed(stages("rp_msmt.yml")["alternate"].HOOKS.turns.order)],)
    hook, last = EpochPhaseHook(order), []
    for epochs in (20, 21):
        runner = SimpleNamespace(epoch=epochs - 1)
        hook.before_train_iter(runner, 0)
        last.append(runner.phase)
    assert order == ["model", "discriminator"] and last == ["discriminator", "model"]
