"""check_hook: our own hooks pass, and each broken clause is named."""

from __future__ import annotations

import pytest
import torch

from reidzoo.hooks import Hook
from reidzoo.registry import HOOK, TRAINER
from reidzoo.testing import SOURCE, TARGET, ContractError, check_hook
from reidzoo.trainers import BaselineTrainer

from .own_parts import own_parts
from .test_trainer import ADAPTATION

pytestmark = pytest.mark.slow

UNLABELLED = {"type": "Unlabeled", "dataset": TARGET}
CLUSTERER = {"type": "KMeans", "num_clusters": 5}
PSEUDO = {"DATASETS": {"TRAIN": {"train": None, "target": UNLABELLED}}, "CLUSTERER": CLUSTERER}
MEMORY = {"memory": {"type": "MemoryHook"}}
ADAPTS = {**ADAPTATION, "TRAINER": {"type": "DomainAdaptationTrainer"}, "CLUSTERER": CLUSTERER}
FROM_MEMORY = {"type": "PseudoLabelHook", "features": "memory", "outliers": "singletons"}
RULE = {"type": "ConstantThresholds", "start": "model", "switches": {}}
HELD = {"type": "HoldOutIdentities", "dataset": SOURCE, "held_out": 2}
CASES = {
    "AlternationHook": {"rule": RULE, "turns": {"model": ["model"]}, "steps": {"model": 2}},
    "CheckpointHook": {},
    "CosineSchedule": {},
    "ConstantSchedule": {},
    "EMAHook": {"momentum": 0.5},
    "EarlyStopHook": {"patience": 2},
    "EpochPhaseHook": {"order": ["model"]},
    "EvaluateHook": {},
    "ExportPseudoLabelsHook": {"target": "train"},
    "FreezeHook": {"modules": ["backbone.layer1"], "begin_epoch": 1},
    "IterationPhaseHook": {"steps": {"model": 1}},
    "KeepBestHook": {},
    "LinearSchedule": {"warmup_epochs": 1},
    "LogHook": {},
    "MLflowHook": {},
    "MemoryHook": {},
    "MixStyleHook": {"layers": ["backbone.layer1"], "p": 1.0},
    "MultiStepSchedule": {"milestones": [1]},
    "OneCycleSchedule": {},
    "PlateauSchedule": {"figure": "mAP", "patience": 0},
    "PolynomialSchedule": {},
    "ProbeHook": {"label": "camid", "images": 8, "period": 1},
    "ProgressHook": {},
    "PseudoLabelHook": {"outliers": "singletons"},
    "RenewOptimizersHook": {"begin_epoch": 1},
    "StopOnNaNHook": {},
    "TensorBoardHook": {},
    "WandbHook": {"mode": "disabled"},
    "TorchSchedule": {"scheduler": {"type": "ExponentialLR", "gamma": 0.5}},
}
VALIDATES = {"DATASETS": {"TRAIN": {"train": {**HELD, "part": "train"}}}}
NEEDS = {
    "AlternationHook": {"TRAINER": {"type": "Validated"}, "DATASETS": {"TRAIN": {"train": {**HELD, "part": "train"}}}},
    "EarlyStopHook": {"TRAINER": {"type": "Validated"}, "DATASETS": {"TRAIN": {"train": {**HELD, "part": "train"}}}},
    "ExportPseudoLabelsHook": {"CLUSTERER": CLUSTERER},
    "KeepBestHook": VALIDATES,
    "PlateauSchedule": {**VALIDATES, "HOOKS": {"best": {"type": "KeepBestHook"}}},
    "MemoryHook": {**ADAPTS, "HOOKS": {"cluster": FROM_MEMORY}},
    "PseudoLabelHook": PSEUDO,
    **{name: {"HOOKS": {"writes": {"type": "LogHook"}}} for name in ("MLflowHook", "TensorBoardHook", "WandbHook")},
}


class Validated(BaselineTrainer):
    """A trainer that early stopping and an alternation can ask."""

    def validator(self, dataset):
        return lambda: {"weight": next(self.model.parameters()).detach().abs().mean().item()}

    def validation_loss(self, batch):
        return self.forward(batch["img"])["feat"].square().mean()


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(TRAINER.module_dict, "Validated", Validated)


def test_every_hook_is_checked():
    assert set(CASES) == own_parts(HOOK)


@pytest.mark.parametrize("name", CASES)
def test_our_own(name):
    check_hook({"type": name, **CASES[name]}, **NEEDS.get(name, {}))


@pytest.mark.parametrize("end_epoch", [0, 1])
def test_frozen_layers_and_optimizers_that_are_rebuilt_resume(end_epoch):
    """A clustering in every epoch renews the optimizers while layers are frozen, which they are not yet on resume."""
    changes = {**PSEUDO, "HOOKS": {"cluster": {"type": "PseudoLabelHook", "outliers": "singletons"}}}
    check_hook({"type": "FreezeHook", "modules": ["backbone.layer1"], "end_epoch": end_epoch}, **changes)


class Theirs(Hook):
    """A third party's hook: it shrinks the weights as often as it has been called; subclasses have one defect each."""

    def __init__(self):
        self.calls = 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.calls += 1
        with torch.no_grad():
            next(runner.model.parameters()).mul_(1 - 0.1 * self.calls)

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]


class DerivesFromNothing:
    priority = "LOW"

    def before_train(self, runner):
        runner.model.requires_grad_(True)


@pytest.mark.parametrize("part", [Theirs, DerivesFromNothing, Theirs()], ids=["class", "plain", "instance"])
def test_a_third_partys(part):
    check_hook(part)


class NoEvent:
    def trained(self, runner):
        pass


class Misspelt(Theirs):
    def after_train_step(self, runner):
        pass


class NoSuchPriority(Theirs):
    priority = "SOON"


class OtherSignature(Theirs):
    def after_train_iter(self, runner, batch, losses):
        pass


class HalfAState(Hook):
    def before_train(self, runner):
        pass

    def state_dict(self):
        return {}


class Forgets(Theirs):
    def load_state_dict(self, state):
        pass


class CodeInItsState(Theirs):
    def state_dict(self):
        return {"calls": self.calls, "of": type(self)}


class HiddenState(Hook):
    after_train_iter, __init__ = Theirs.after_train_iter, Theirs.__init__


class Fails(Theirs):
    def before_train(self, runner):
        runner.no_such_thing()


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (NoEvent, "it has a method named after an event: before_train, .*; it has none"),
        (Misspelt, "its methods are named after events.*after_train_step is never called; after_train_iter is"),
        (NoSuchPriority, "its priority exists; ConfigError: .*'SOON'"),
        (OtherSignature, r"is called as after_train_iter\(runner, batch_idx=..., data_batch=..., outputs=...\)"),
        (HalfAState, "it has state_dict and load_state_dict, both or neither"),
        (Forgets, "a run that is stopped and resumed ends as one that is not"),
        (CodeInItsState, "its state is plain values and tensors; UnpicklingError"),
        (HiddenState, "a run that is stopped and resumed ends as one that is not; in its parts"),
        (Fails, "it takes part in a training, .*AttributeError: .*no_such_thing"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"HOOK: {cls.__name__} breaks its contract: .*{said}"):
        check_hook(cls)
