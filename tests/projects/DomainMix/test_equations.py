"""Equations 4 and 11 as the trainers apply them, at the text's weights, against a transcription in float64."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_train_sets
from reidzoo.registry import TRAINER

FOLDER = Path(__file__).parents[3] / "projects" / "DomainMix"
TINY = [
    "INPUT.SIZE",
    "[64, 32]",
    "BACKBONE",
    "{type: ResNet, depth: 18, width: 4, pretrained: ''}",
    "MODEL.BN_GROUP",
    0,
]
TINY += ["SOLVER.IMS_PER_BATCH", 16, "HOOKS.probe", None, "DATASETS.TESTS", "[Market1501]", "OPTIMIZERS.model"]
TINY += ["{type: SGD, lr: 1.0, momentum: 0.0, weight_decay: 0.0}", "SOLVER.CHANNELS_LAST", False]


@pytest.fixture
def build(tiny_root, tmp_path):
    """Return a function that builds a stage of the text on two labelled sets; its steps are the gradients."""

    def build(name, *opts):
        sets = {"STAGES": {name: {"DATASETS": {"TRAIN": {"train": ["RandPerson", "MSMT17"]}}, "WEIGHTS": None}}}
        given = ["DATASETS.ROOT", str(tiny_root), *TINY, *opts]
        (cfg,) = stage_configs(load_config(FOLDER / "rp_msmt.yml", given, [sets], stage=name)).values()
        torch.manual_seed(0)
        arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
        trainer = TRAINER.build(cfg.TRAINER, **arguments)
        trainer.parts.train()
        return trainer

    return build


def identity_and_triplet(outputs, pid):
    """10 L_id + L_tri (Eq. 4), image by image."""
    logits, features = outputs["logits"], outputs["feat"]
    total = 0.0
    for a, own in enumerate(pid.tolist()):
        loss = torch.logsumexp(logits[a], 0) - logits[a, own]
        gaps = [(features[a] - features[b]).square().sum().clamp_min(1e-12).sqrt() for b in range(len(pid))]
        far = max(gaps[b] for b in range(len(pid)) if pid[b] == own and b != a)
        near = min(gaps[b] for b in range(len(pid)) if pid[b] != own)
        total = total + 10 * loss + functional.softplus(far - near)
    return total / len(pid)


def domain_balance(logits):
    """Eq. 8: sum_j p_j log p_j + 0.5 over the domains, mean over the images."""
    total = 0.0
    for row in logits:
        p = row.exp() / row.exp().sum()
        total = total + sum(value * value.log() + 0.5 for value in p)
    return total / len(logits)


def symmetric_kl(logits):
    """Eq. 6 and 7: KL(p || h) + KL(h || p) with the uniform h, mean over the images."""
    total = 0.0
    for row in logits:
        p, h = row.exp() / row.exp().sum(), 1 / len(row)
        total = total + sum(value * (value / h).log() + h * (h / value).log() for value in p)
    return total / len(logits)


def gradient(trainer, phase, loss_of):
    """Return, by name, the step that the trainer takes and the transcription's gradient."""
    batch = next(trainer.loader.epoch(0))
    twin = copy.deepcopy(trainer.parts).double().train()
    outputs = twin["model"](batch["img"].double())
    loss = loss_of(twin, outputs, batch)
    loss.backward()
    expected = {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}
    before = {name: p.detach().double().clone() for name, p in trainer.parts.named_parameters()}
    trainer.phase = phase
    trainer.train_step(batch)
    taken = {name: before[name] - p.detach().double() for name, p in trainer.parts.named_parameters()}
    return taken, expected


def check(taken, expected, part):
    """Compare the step of a part's parameters; those of the others stand still."""
    moved = {name for name, step in taken.items() if step.abs().max() > 0}
    assert moved and all(name.startswith(f"{part}.") for name in moved)
    names = [name for name in expected if name.startswith(f"{part}.")]
    ours, theirs = (torch.cat([values[name].flatten() for name in names]) for values in (taken, expected))
    assert ((ours - theirs).norm() / theirs.norm()).item() < 1e-3  # fp32 against fp64
    assert theirs.norm() > 0.1


def test_equation_4_at_the_texts_weights(build):
    trainer = build("backbone")
    check(*gradient(trainer, "model", lambda _, out, batch: identity_and_triplet(out, batch["pid"])), "model")


@pytest.mark.parametrize("loss, balance", [("DomainBalanceLoss", domain_balance), ("SymmetricKLLoss", symmetric_kl)])
def test_equation_11_at_the_texts_weights(build, loss, balance):
    trainer = build("alternate", "LOSSES.balance", f"{{type: {loss}, weight: 1.0}}")

    def whole(parts, outputs, batch):
        logits = parts["discriminator"](outputs["embedding"])
        return balance(logits) + identity_and_triplet(outputs, batch["pid"])

    check(*gradient(trainer, "model", whole), "model")


def test_equation_5(build):
    rate = ["OPTIMIZERS.discriminator", "{type: SGD, lr: 1.0, momentum: 0.0, weight_decay: 0.0}"]
    trainer = build("alternate", *rate)

    def classify(parts, outputs, batch):
        logits = parts["discriminator"](outputs["embedding"].detach())
        costs = [torch.logsumexp(row, 0) - row[domain] for row, domain in zip(logits, batch["domain"].tolist())]
        return sum(costs) / len(costs)

    check(*gradient(trainer, "discriminator", classify), "discriminator")
    assert set(trainer.sets["train"].domains.tolist()) == {0, 1}
