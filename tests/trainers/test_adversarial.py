from __future__ import annotations

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.errors import ConfigError
from reidzoo.models import GroupBatchNorm
from reidzoo.registry import TRAINER

from ..conftest import ADVERSARIAL

FIRST_ID = {"type": "CrossEntropyLoss", "weight": 10.0, "phase": "backbone"}
CONFIG = {**ADVERSARIAL, "LOSSES": {"first_id": FIRST_ID, **ADVERSARIAL["LOSSES"]}}


@pytest.fixture
def build(write_config, tmp_path):
    def build(trainer=(), **changes):
        node = {"type": "AdversarialTrainer", **dict(trainer)}
        cfg = load_config(write_config(**{**CONFIG, "TRAINER": node, **changes}))
        arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
        trainer = TRAINER.build(cfg.TRAINER, **arguments)
        trainer.parts.train()
        return trainer

    return build


def moved(trainer, phase):
    """Take a step of ``phase``; return the names of the parts whose parameters and whose buffers moved."""
    before = {key: value.clone() for key, value in trainer.parts.state_dict().items()}
    parameters = dict(trainer.parts.named_parameters())
    trainer.phase = phase
    scalars = trainer.train_step(next(trainer.loader.epoch(0)))
    keys = [key for key, value in trainer.parts.state_dict().items() if not torch.equal(value, before[key])]
    return {k.split(".")[0] for k in keys if k in parameters}, {k.split(".")[0] for k in keys}, scalars


def test_each_phase_moves_its_own_part_and_has_its_own_losses(build):
    parameters, everything, scalars = moved(build(), "backbone")
    assert parameters == everything == {"model"} and set(scalars) == {"first_id"}
    parameters, everything, scalars = moved(build(), "model")
    assert parameters == {"model"} and set(scalars) == {"id", "balance"}
    assert everything == {"model", "discriminator"}  # its running statistics
    parameters, everything, scalars = moved(build(), "discriminator")
    assert parameters == {"discriminator"} and set(scalars) == {"domain"}
    assert everything == {"model", "discriminator"}


def test_the_fixed_models_norm_may_rest(build):
    trainer = build({"model_norm": "eval"})
    parameters, everything, _ = moved(trainer, "discriminator")
    assert parameters == everything == {"discriminator"} and trainer.model.training
    assert moved(trainer, "model")[1] == {"model", "discriminator"}


def test_the_fixed_models_activations_are_not_kept(build, monkeypatch):
    trainer, kept = build(), []
    forward = trainer.forward
    monkeypatch.setattr(trainer, "forward", lambda images: kept.append(torch.is_grad_enabled()) or forward(images))
    for phase in ("backbone", "model", "discriminator"):
        moved(trainer, phase)
    assert kept == [True, True, False]


def test_a_phase_to_come_without_its_losses_is_named_before_the_first_step(build):
    hook = {"type": "IterationPhaseHook", "steps": {"model": 1}, "begin_epoch": 1, "before": "backbone"}
    trainer = build(LOSSES=ADVERSARIAL["LOSSES"], HOOKS={"turns": hook})
    with pytest.raises(ConfigError, match=r"AdversarialTrainer lacks LOSSES: a loss of phase backbone, .* 'backbone'"):
        trainer.train()
    assert trainer.iter == 0


def test_the_fixed_discriminators_norm_may_rest(build):
    trainer = build({"discriminator_norm": "eval"})
    parameters, everything, _ = moved(trainer, "model")
    assert parameters == everything == {"model"} and trainer.parts["discriminator"].training
    parameters, everything, _ = moved(trainer, "discriminator")
    assert everything == {"model", "discriminator"}


def test_adversarial_gradient_reaches_the_model_through_the_discriminator(build):
    """The balance loss alone moves the model; what the discriminator finds then is nearer to uniform."""
    losses = {"first_id": None, "id": None, "balance": {"type": "DomainBalanceLoss", "weight": 1.0}}
    trainer = build(
        LOSSES={"balance": losses["balance"], "domain": CONFIG["LOSSES"]["domain"]},
        OPTIMIZERS={"discriminator": {"type": "Adam", "lr": 3e-3}},
    )
    batch = next(trainer.loader.epoch(0))
    optim = trainer.optims["discriminator"]
    for _ in range(60):
        trainer.phase = "discriminator"
        domain = trainer.train_step(batch)["domain"]
    assert domain < 0.3 and optim is trainer.optims["discriminator"]
    trainer.phase = "model"
    first = trainer.train_step(batch)["balance"]
    for _ in range(20):
        last = trainer.train_step(batch)["balance"]
    assert last < first - 0.1


def test_domain_labels_literal_takes_the_first_real_class_for_synthetic(build):
    sane, literal = build(), build({"domain_labels": "literal"})
    first_real = 12
    batch = {"pid": torch.tensor([0, 11, 12, 13, 23]), "domain": torch.tensor([0, 0, 1, 1, 1])}
    assert sane._domains(batch).tolist() == [0, 0, 1, 1, 1]
    assert literal._domains(batch).tolist() == [0, 0, 0, 1, 1]
    assert sane.sets["train"].pids[sane.sets["train"].domains == 1].min() == first_real


def test_the_discriminators_norm_follows_the_models_groups(build):
    trainer = build(MODEL={"BN_GROUP": 8})
    norms = [
        m for m in trainer.parts["discriminator"].modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)
    ]
    assert norms and all(isinstance(norm, GroupBatchNorm) and norm.group == 8 for norm in norms)
    assert moved(trainer, "discriminator")[0] == {"discriminator"}


@pytest.mark.parametrize(
    ("names", "classes"), [(["RandPerson", "Market1501", "MSMT17"], 2), (["RandPerson", "MSMT17"], 3)]
)
def test_a_discriminator_without_a_class_for_each_dataset_is_named(build, names, classes):
    """Too few would end a stage at the first batch with the third set; too many ask for a domain that is none."""
    node = {"discriminator": {"type": "MLPDiscriminator", "widths": [16], "num_classes": classes}}
    with pytest.raises(
        ConfigError, match=f"has {classes} classes, but DATASETS.TRAIN.train joins {len(names)} datasets"
    ):
        build(DATASETS={"TRAIN": {"train": names}}, DISCRIMINATORS=node)
    assert build(
        DATASETS={"TRAIN": {"train": names[:1]}}, DISCRIMINATORS=node
    )  # one set alone, as in DomainMix's controls


def test_mistakes_are_named(build):
    with pytest.raises(ConfigError, match=r"train, eval"):
        build({"discriminator_norm": "frozen"})
    with pytest.raises(ConfigError, match="dataset, literal"):
        build({"domain_labels": "camera"})
    with pytest.raises(ConfigError, match="'discriminator'"):
        build(DISCRIMINATORS={}, OPTIMIZERS={})
