"""NuisanceTrainer: who moves in which phase, what losses are given, and the variants."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

SGD = {"type": "SGD", "lr": 0.1, "momentum": 0.9}
NUISANCE = {"type": "CrossEntropyLoss", "inputs": {"logits": "nuisance_logits", "pid": "nuisance_label"}}
BASE = {
    "TRAINER": {"type": "NuisanceTrainer"},
    "HEAD": {"type": "MLPHead", "width": 8},
    "SAMPLER": {"type": "ShuffleSampler"},
    "DISCRIMINATORS": {"nuisance": {"type": "NuisanceDiscriminator", "width": 8}},
    "LOSSES": {
        "id": {"type": "CrossEntropyLoss"},
        "head": {"type": "CrossEntropyLoss", "phase": "head"},
        "nuisance": {**NUISANCE, "phase": "nuisance"},
        "adv": {"type": "CalibratedNegativeEntropyLoss", "phase": "penalty"},
    },
    "OPTIMIZERS": {
        "model": SGD,
        "head": {**SGD, "params": ["model.head.classifier"]},
        "nuisance": SGD,
        "penalty": {**SGD, "params": ["model.backbone"]},
    },
}
DUAL = {
    "BACKBONE": {"type": "DualBranchResNet", "depth": 18, "width": 4, "pretrained": ""},
    "HEAD": {"type": "DualBranchHead", "width": 8},
    "DISCRIMINATORS": {"nuisance": {"type": "NuisanceDiscriminator", "branches": 3}},
}


@pytest.fixture
def build(write_config, tmp_path):
    def build(**changes):
        (cfg,) = Pipeline(load_config(write_config(**{**BASE, **changes}))).stages.values()
        arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
        torch.manual_seed(0)
        trainer = TRAINER.build(cfg.TRAINER, **arguments)
        trainer.parts.train()
        return trainer

    return build


def step(trainer, phase, batch=None):
    """Take a step; returns its scalars, and the modules whose parameters and whose buffers it changed."""
    before = {key: value.clone() for key, value in trainer.parts.state_dict().items()}
    trainer.phase = phase
    scalars = trainer.train_step(batch or next(trainer.loader.epoch(0)))
    parameters = dict(trainer.parts.named_parameters())
    changed = [key for key, value in trainer.parts.state_dict().items() if not torch.equal(value, before[key])]
    groups = [{_module(key) for key in changed if (key in parameters) == wanted} for wanted in (True, False)]
    return scalars, *groups


def _module(key):
    return ".".join(key.split(".")[: 2 if key.startswith("model") else 1])


@pytest.mark.parametrize("changes", [{}, DUAL], ids=["one branch", "three branches"])
def test_each_phase_moves_its_own_parts(build, changes):
    trainer = build(**changes)
    if changes:  # no batch norm in the discriminators and the classifiers
        trainer.optims["penalty"].torch.add_param_group(
            {"params": list(trainer.model.head.global_fc.named_parameters())}
        )
    head = {"model.head"} if not changes else set()
    assert step(trainer, "model")[1:] == ({"model.backbone", "model.head"}, {"model.backbone", "model.head"})
    assert step(trainer, "nuisance")[1:] == ({"nuisance"}, {"nuisance"} if not changes else set())
    assert step(trainer, "head")[1:] == ({"model.head"}, head)
    scalars, parameters, buffers = step(trainer, "penalty")
    assert parameters == {"model.backbone"} | ({"model.head"} if changes else set())
    assert buffers == {"model.backbone"} | ({"model.head"} if changes else set()) and set(scalars) == {"adv"}
    scalars, parameters, _ = step(trainer, "joint")
    assert parameters == {"model.backbone", "model.head", "nuisance"} and set(scalars) == {"id", "adv", "nuisance"}
    assert all(part.training for part in trainer.parts.values())


def test_activations_are_kept_where_the_backbone_learns(build, monkeypatch):
    trainer, kept = build(), []
    forward = trainer.forward
    monkeypatch.setattr(trainer, "forward", lambda images: kept.append(torch.is_grad_enabled()) or forward(images))
    for phase in ("model", "nuisance", "head", "penalty", "joint"):
        step(trainer, phase)
    assert kept == [True, False, False, True, True]


def test_penalties_move_the_discriminator_too_where_its_optimizer_has_it(build):
    """Eq. 7 as printed."""
    both = {**SGD, "params": ["model.backbone", "nuisance"]}
    trainer = build(OPTIMIZERS={**BASE["OPTIMIZERS"], "penalty": both})
    assert step(trainer, "penalty")[1] == {"model.backbone", "nuisance"}


def test_priors_are_the_frequencies_of_the_training_list(build):
    trainer = build()
    assert trainer.priors["nuisance"].tolist() == pytest.approx([1 / 3] * 3)
    batch = next(trainer.loader.epoch(0))
    found = trainer.find_nuisances(trainer.embed(batch["img"]), batch)
    assert found["nuisance_prior"].shape == found["nuisance_logits"].shape == (16, 3)
    assert torch.equal(found["nuisance_label"], batch["camid"])


def test_camera_and_time_are_two_discriminators(build):
    second = {"inputs": {"logits": "time_logits", "pid": "time_label"}}
    losses = {**BASE["LOSSES"], "time": {**NUISANCE, **second, "phase": "nuisance"}}
    losses["adv_time"] = {
        "type": "CalibratedNegativeEntropyLoss",
        "inputs": {f"nuisance_{key}": f"time_{key}" for key in ("logits", "label", "prior")},
        "phase": "penalty",
    }
    trainer = build(
        DATASETS={"TRAIN": {"train": "MSMT17"}},
        DISCRIMINATORS={
            "nuisance": {"type": "NuisanceDiscriminator", "width": 8},
            "time": {"type": "NuisanceDiscriminator", "width": 8, "label": "time"},
        },
        LOSSES=losses,
        OPTIMIZERS={**BASE["OPTIMIZERS"], "nuisance": {**SGD, "params": ["nuisance", "time"]}},
    )
    assert trainer.priors["time"].tolist() == pytest.approx([1 / 3] * 3)
    scalars, parameters, _ = step(trainer, "nuisance")
    assert set(scalars) == {"nuisance", "time"} and parameters == {"nuisance", "time"}
    assert set(step(trainer, "penalty")[0]) == {"adv", "adv_time"}


def test_penalty_lowers_its_loss_and_the_reset_heads_are_small(build):
    trainer = build(
        OPTIMIZERS={**BASE["OPTIMIZERS"], "penalty": {"type": "SGD", "lr": 0.05, "params": ["model.backbone"]}}
    )
    batch = next(trainer.loader.epoch(0))
    for _ in range(20):
        step(trainer, "nuisance", batch)
    values = [float(step(trainer, "penalty", batch)[0]["adv"]) for _ in range(20)]
    assert values[-1] < values[0]
    weights = copy.deepcopy(trainer.parts.state_dict())
    trainer.reset_heads(torch.Generator().manual_seed(1))
    for part in (trainer.model.head.classifier, trainer.parts["nuisance"]):
        layers = [layer for layer in part.modules() if isinstance(layer, nn.Linear)]
        assert layers and all(0 < layer.weight.abs().max() < 0.006 and not layer.bias.any() for layer in layers)
    assert torch.equal(trainer.model.backbone.conv1.weight, weights["model.backbone.conv1.weight"])
    first = trainer.parts["nuisance"].classifier[0].weight.clone()
    trainer.reset_heads(torch.Generator().manual_seed(1))
    assert torch.equal(trainer.parts["nuisance"].classifier[0].weight, first)


def test_full_batch_takes_one_step_at_the_epochs_end_with_the_summed_gradient(build):
    penalty = {"type": "SGD", "lr": 0.1, "params": ["model.backbone"]}
    trainer = build(
        TRAINER={"type": "NuisanceTrainer", "full_batch": True}, OPTIMIZERS={**BASE["OPTIMIZERS"], "penalty": penalty}
    )
    nn.init.normal_(trainer.parts["nuisance"].classifier[4].weight)
    weights = trainer.model.backbone.conv1.weight
    before, total = weights.detach().clone(), torch.zeros_like(weights)
    trainer.phase = "penalty"
    for number, batch in enumerate(trainer.loader.epoch(0)):
        trainer.step = number
        assert torch.equal(weights, before)
        twin = copy.deepcopy(trainer.parts)
        twin["nuisance"].eval()
        logits = twin["nuisance"](
            twin["model"](batch["img"].contiguous(memory_format=torch.channels_last))["embedding"]
        )
        prior = trainer.priors["nuisance"].expand(16, -1)
        loss = trainer.losses["penalty"](
            {"nuisance_logits": logits, "nuisance_label": batch["camid"], "nuisance_prior": prior}
        )
        total += torch.autograd.grad(loss["adv"], twin["model"].backbone.conv1.weight)[0]
        trainer.train_step(batch)
    torch.testing.assert_close(weights.detach() - before, -0.1 * total, rtol=1e-3, atol=1e-6)
    assert trainer.step == 3 and total.abs().max() > 1e-3
    assert not any(buffer.any() for buffer in trainer.parts["gradients"].buffers())


def test_joint_training_with_reversal_moves_as_the_negated_loss_does(build):
    changed = []
    for loss, reversal in (("NegatedCrossEntropyLoss", 0.0), ("CrossEntropyLoss", 1.0)):
        inputs = {"logits": "nuisance_logits", "pid": "nuisance_label"} if reversal else {}
        losses = {**BASE["LOSSES"], "adv": {"type": loss, "inputs": inputs, "phase": "penalty", "weight": 0.3}}
        node = {"type": "NuisanceDiscriminator", "width": 8, "dropout": 0.0, "reversal": reversal}
        trainer = build(LOSSES=losses, DISCRIMINATORS={"nuisance": node}, HEAD={"type": "MLPHead", "dropout": 0.0})
        step(trainer, "joint", next(trainer.loader.epoch(0)))
        changed.append(trainer.parts.state_dict())
    for key, value in changed[0].items():
        torch.testing.assert_close(value, changed[1][key])


def test_mistakes(build):
    with pytest.raises(ConfigError, match="one training set"):
        build(DATASETS={"TRAIN": {"a": "Market1501", "b": "RandPerson"}})
    with pytest.raises(ConfigError, match="NuisanceDiscriminator"):
        build(DISCRIMINATORS={})
    with pytest.raises(DatasetError, match="time of day"):
        build(DISCRIMINATORS={"nuisance": {"type": "NuisanceDiscriminator", "label": "time"}})


@pytest.mark.parametrize(("phase", "lacks"), [("joint", "penalty"), ("nuisance", "nuisance"), ("head", "head")])
def test_a_phase_without_its_loss_or_optimizer_is_named(build, phase, lacks):
    losses = {name: node for name, node in BASE["LOSSES"].items() if node.get("phase") != lacks}
    trainer = build(LOSSES=losses)
    for take in (trainer.check_phase, lambda phase: step(trainer, phase)):
        with pytest.raises(ConfigError, match=f"lacks LOSSES: a loss of phase {lacks}, which its phase '{phase}'"):
            take(phase)
    optimizers = {**BASE["OPTIMIZERS"]}
    del optimizers["penalty"]
    with pytest.raises(ConfigError, match=r"lacks OPTIMIZERS\.penalty"):
        build(OPTIMIZERS=optimizers, TRAINER={"type": "NuisanceTrainer", "full_batch": True})
