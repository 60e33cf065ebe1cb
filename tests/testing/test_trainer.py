"""check_trainer: our own trainers pass, and each broken clause is named."""

from __future__ import annotations

import random

import pytest
import torch

from reidzoo.registry import TRAINER
from reidzoo.testing import SOURCE, TARGET, ContractError, check_trainer
from reidzoo.testing.values import noise
from reidzoo.trainers import BaselineTrainer, Trainer

from .own_parts import own_parts

pytestmark = pytest.mark.slow

SGD = {"type": "SGD", "lr": 0.01, "momentum": 0.9}
ADVERSARIAL = {
    "DATASETS": {"TRAIN": {"train": [SOURCE, TARGET]}},
    "DISCRIMINATORS": {"discriminator": {"type": "MLPDiscriminator", "widths": [8]}},
    "LOSSES": {
        "first": {"type": "CrossEntropyLoss", "phase": "backbone"},
        "balance": {"type": "DomainBalanceLoss"},
        "domain": {
            "type": "CrossEntropyLoss",
            "inputs": {"logits": "domain_logits", "pid": "domain"},
            "phase": "discriminator",
        },
    },
    "OPTIMIZERS": {"discriminator": SGD},
}
ADAPTATION = {
    "DATASETS": {
        "TRAIN": {"train": None, "source": SOURCE, "target": {"type": "Unlabeled", "dataset": TARGET}},
    },
    "MODEL": {"BN_DOMAINS": 2},
    "SAMPLER": {"type": "SourceTargetSampler"},
    "MEMORIES": {"memory": {"type": "HybridMemory"}},
    "LOSSES": {
        "id": None,
        "triplet": None,
        "source": {"type": "CrossEntropyLoss", "inputs": {"logits": "source_scores", "pid": "source_label"}},
        "target": {"type": "CrossEntropyLoss", "inputs": {"logits": "target_scores", "pid": "target_label"}},
    },
}
NUISANCE = {"type": "CrossEntropyLoss", "inputs": {"logits": "nuisance_logits", "pid": "nuisance_label"}}
NUISANCES = {
    "HEAD": {"type": "MLPHead", "width": 8},
    "SAMPLER": {"type": "ShuffleSampler"},
    "DISCRIMINATORS": {"nuisance": {"type": "NuisanceDiscriminator", "width": 8}},
    "LOSSES": {
        "head": {"type": "CrossEntropyLoss", "phase": "head"},
        "nuisance": {**NUISANCE, "phase": "nuisance"},
        "adv": {"type": "CalibratedNegativeEntropyLoss", "phase": "penalty"},
    },
    "OPTIMIZERS": {
        "head": {**SGD, "params": ["model.head.classifier"]},
        "nuisance": SGD,
        "penalty": {**SGD, "params": ["model.backbone"]},
    },
}


def fill_memory(trainer):
    memory = trainer.parts["memory"]
    dim = memory.features.shape[1]
    memory.initialise(noise(memory.num_source, dim), noise(memory.num_target, dim, seed=1))
    trainer.relabel("target", torch.arange(memory.num_target) // 2)


CASES = {
    "baseline": ({"type": "BaselineTrainer"}, {}),
    "adversarial": ({"type": "AdversarialTrainer"}, ADVERSARIAL),
    "adversarial-eval": (
        {"type": "AdversarialTrainer", "discriminator_norm": "eval", "model_norm": "eval"},
        ADVERSARIAL,
    ),
    "adaptation": ({"type": "DomainAdaptationTrainer"}, {**ADAPTATION, "prepare": fill_memory}),
    "nuisance": ({"type": "NuisanceTrainer"}, NUISANCES),
    "nuisance-full-batch": ({"type": "NuisanceTrainer", "full_batch": True}, NUISANCES),
}


def test_every_trainer_is_checked():
    assert {node["type"] for node, _ in CASES.values()} == own_parts(TRAINER)


@pytest.mark.parametrize(("node", "changes"), CASES.values(), ids=CASES)
def test_our_own(node, changes):
    check_trainer(node, **changes)


class Theirs(BaselineTrainer):
    """A third party's trainer; subclasses have one defect each."""


def test_a_third_partys():
    check_trainer(Theirs)


class ReturnsNumbers(Theirs):
    def step_model(self, batch):
        return {name: float(value) for name, value in super().step_model(batch).items()}


class KeepsTheGraph(Theirs):
    def step_model(self, batch):
        losses = self.losses["model"]({**batch, **self.forward(batch["img"])})
        self.optims["model"].minimize(sum(losses.values()) + 0)
        return losses


class ReturnsNothing(Theirs):
    def step_model(self, batch):
        super().step_model(batch)


class NaN(Theirs):
    def step_model(self, batch):
        return {name: value * torch.nan for name, value in super().step_model(batch).items()}


class ChangesThePhase(Theirs):
    def step_model(self, batch):
        self.phase = "other"
        return super().step_model(batch)


class TrainsNothing(Theirs):
    def step_model(self, batch):
        with torch.no_grad():
            losses = self.losses["model"]({**batch, **self.model.eval()(batch["img"]), "logits": noise(8, 6)})
        self.model.train()
        return losses


class HiddenState(Theirs):
    scale = 1.0

    def step_model(self, batch):
        self.scale *= 1.5
        return super().step_model({**batch, "img": batch["img"] * self.scale})


class GlobalNumbers(Theirs):
    def step_model(self, batch):
        return super().step_model({**batch, "img": batch["img"] * random.random()})


class CodeInItsState(Theirs):
    def state_dict(self):
        return {**super().state_dict(), "own": fill_memory}


class Fails(Theirs):
    def step_model(self, batch):
        return super().step_model({"img": batch["img"]})


class NoStep(Trainer):
    """A trainer without a step."""


class NoTrainer:
    def step_model(self, batch):
        return {}


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (ReturnsNumbers, "step_model returns a dict of detached scalars; id is a float"),
        (KeepsTheGraph, r"step_model returns a dict of detached scalars; id is a tensor \(\) with a gradient"),
        (ReturnsNothing, "step_model returns a dict of detached scalars; it returned a NoneType"),
        (NaN, "what step_model returns is finite; id is nan"),
        (ChangesThePhase, "a step leaves phase to hooks; step_model made it 'other'"),
        (TrainsNothing, "step_model trains something"),
        (HiddenState, "another trainer goes on from its state_dict as it does itself"),
        (GlobalNumbers, "random numbers come from torch's generator.* of random"),
        (CodeInItsState, "state_dict holds tensors and plain values; UnpicklingError"),
        (Fails, "step_model takes a batch; ConfigError: .*pid"),
        (NoStep, "no phase 'model'"),
        (NoTrainer, "it is a subclass of reidzoo.trainers.Trainer"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"TRAINER: {cls.__name__} breaks its contract: .*{said}"):
        check_trainer(cls)


def test_a_phase_without_losses_is_not_checked_and_one_is_needed():
    class Two(Theirs):
        def step_other(self, batch):
            raise AssertionError("never taken")

    Two.step_other.needs = ((("other",), "model"),)
    check_trainer(Two)
    with pytest.raises(ContractError, match=r"one of its phases needs; .* a loss of phase model"):
        check_trainer(Theirs, LOSSES={"id": None, "triplet": None})
