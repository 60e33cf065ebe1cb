"""The mean of the weights against its recursion in float64, and that it is what is tested and kept, and no more."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import reidzoo
from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.extract import evaluation_mode
from reidzoo.errors import ConfigError
from reidzoo.hooks import EMAHook, Hook
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

MOMENTUM = 0.75
EMA = {"ema": {"type": "EMAHook", "momentum": MOMENTUM}}


class Transcription:
    """The recursion, tensor by tensor in float64."""

    def __init__(self):
        self.mean, self.updates = {}, 0

    def update(self, module):
        alpha = min(1 - 1 / (self.updates + 1), MOMENTUM)
        for name, now in module.state_dict().items():
            if now.is_floating_point():
                before = self.mean.get(name, torch.zeros_like(now, dtype=torch.float64))
                self.mean[name] = alpha * before + (1 - alpha) * now.double()
            else:
                self.mean[name] = now.clone()
        self.updates += 1


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name].to(value.dtype), value, rtol=1e-5, atol=1e-6)


class Recorder(Hook):
    """Notes what the mean should be after each step, and what other hooks and the checkpoints see."""

    priority = 101  # after all others

    def __init__(self):
        self.images = torch.randn(5, 3, 32, 16, generator=torch.manual_seed(0))
        self.transcription, self.embeddings, self.last = Transcription(), [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.transcription.update(runner.model)
        self.weights = copy.deepcopy(runner.model.state_dict())

    def embed(self, model):
        with torch.no_grad(), evaluation_mode(model):
            return model.embed(self.images)

    def after_train_epoch(self, runner):
        mean, own = copy.deepcopy(runner.model), copy.deepcopy(runner.model)
        mean.load_state_dict(self.transcription.mean)
        own.load_state_dict(self.weights)
        self.embeddings.append([self.embed(model) for model in (runner.model, mean, own)])

    def save_point(self, runner):
        if runner.step == 0:
            self.last.append((torch.load(runner.output_dir / "last.pth"), self.weights, dict(self.transcription.mean)))


@pytest.fixture
def train(write_config, tmp_path):
    """Return a function that trains with hooks and returns the final checkpoint."""

    def train(name, **hooks):
        solver = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 3, "MAX_EPOCHS": 3, "CHECKPOINT_SECONDS": 0}
        path = write_config(f"{name}.yml", OUTPUT_DIR=str(tmp_path / name), HOOKS=hooks, SOLVER=solver)
        Pipeline(load_config(path)).train()
        return torch.load(tmp_path / name / "model_final.pth", weights_only=True)

    return train


@pytest.fixture
def trainer(write_config, tmp_path):
    (tmp_path / "run").mkdir()
    solver = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 2, "CHECKPOINT_SECONDS": 0}
    cfg = load_config(write_config(HOOKS=EMA, SOLVER=solver))
    sets, device = build_train_sets(cfg), torch.device("cpu")
    trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=tmp_path / "run", device=device)
    trainer.hooks["recorder"] = Recorder()
    return trainer


def test_evaluations_see_the_mean_and_the_last_checkpoint_holds_the_weights(trainer):
    trainer.train()
    recorder = trainer.hooks["recorder"]
    assert len(recorder.embeddings) == len(recorder.last) == 2
    for seen, mean, own in recorder.embeddings:
        torch.testing.assert_close(seen, mean, rtol=1e-4, atol=1e-4)
        assert (seen - own).abs().max() > 1e-2
    for state, weights, mean in recorder.last:
        assert all(torch.equal(state["parts"]["model"][name], value) for name, value in weights.items())
        assert_close(state["hooks"]["ema"]["model"], mean)
    assert_close(trainer.model.state_dict(), recorder.transcription.mean)


def test_what_is_tested_is_what_is_kept_and_loaded(train, tmp_path):
    state = train("run", **EMA)
    results = json.loads((tmp_path / "run/results.json").read_text())
    checkpoint = tmp_path / "run/model_final.pth"
    pipeline = Pipeline(load_config(str(tmp_path / "run/config.yml")))
    assert pipeline.evaluate(str(checkpoint))["model_final"] == results
    loaded = reidzoo.load(tmp_path / "run").module.state_dict()
    assert all(torch.equal(value, state["parts"]["model"][name]) for name, value in loaded.items())


def test_training_does_not_notice(train):
    state, plain = train("with", **EMA), train("without")
    raw = state["hooks"]["ema"]["raw"]
    assert raw.keys() == plain["parts"]["model"].keys()
    for name, value in plain["parts"]["model"].items():
        assert torch.equal(raw[name], value), name
    assert any(not torch.equal(state["parts"]["model"][name], value) for name, value in raw.items())
    for one, other in zip(state["optims"]["model"]["state"].values(), plain["optims"]["model"]["state"].values()):
        assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in other)


def test_without_evaluate_the_mean_is_in_the_checkpoint_only(train):
    state, plain = train("with", ema={**EMA["ema"], "evaluate": False}), train("without")
    mean = train("kept", **EMA)["parts"]["model"]
    for name, value in plain["parts"]["model"].items():
        assert torch.equal(state["parts"]["model"][name], value)
        assert torch.equal(state["hooks"]["ema"]["model"][name], mean[name])


def step(hook, runner, number):
    with torch.no_grad():
        for own in runner.model.parameters():
            own += torch.randn(own.shape, generator=torch.manual_seed(number))
    runner.model(torch.randn(8, 3, generator=torch.manual_seed(number)))  # moves batch norm's buffers
    hook.after_train_iter(runner, number)


def test_it_goes_on_from_a_checkpoint_of_any_moment():
    runner = SimpleNamespace(model=nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    hook, transcription = EMAHook(MOMENTUM), Transcription()
    hook.before_train(runner)
    for number in range(9):
        step(hook, runner, number)
        transcription.update(runner.model)
        weights = copy.deepcopy(runner.model.state_dict())
        if number % 3 == 1:  # saved while they are exchanged, as the final checkpoint is
            hook.after_train_epoch(runner)
            assert_close(runner.model.state_dict(), transcription.mean)
        if number % 2:
            state, hook = copy.deepcopy(hook.state_dict()), EMAHook(MOMENTUM)
            hook.load_state_dict(state)
        hook.before_train(runner)
        assert all(torch.equal(runner.model.state_dict()[name], value) for name, value in weights.items())
        assert_close(hook.state_dict()["model"], transcription.mean)
    assert hook.state_dict()["model"]["1.num_batches_tracked"] == 9


def test_a_new_classifier_begins_a_mean_of_its_own():
    runner = SimpleNamespace(model=nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4)))
    hook = EMAHook(MOMENTUM)
    hook.before_train(runner)
    for number in range(4):
        step(hook, runner, number)
    body = hook.state_dict()["model"]["0.weight"].clone()
    for classes in (6, 6):  # of another size, and of the same
        runner.model[1] = nn.Linear(2, classes)
        step(hook, runner, 4)
        mean = hook.state_dict()["model"]
        assert torch.equal(mean["1.weight"], runner.model[1].weight)
    assert not torch.equal(mean["0.weight"], runner.model[0].weight) and not torch.equal(mean["0.weight"], body)
    weights = copy.deepcopy(runner.model.state_dict())
    hook.after_train_epoch(runner)
    assert torch.equal(runner.model[1].weight, weights["1.weight"])
    assert not torch.equal(runner.model[0].weight, weights["0.weight"])
    hook.save_point(runner)
    assert all(torch.equal(runner.model.state_dict()[name], value) for name, value in weights.items())


def test_a_parameter_that_two_modules_share_is_exchanged_once():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    runner, hook = SimpleNamespace(model=model), EMAHook(MOMENTUM)
    hook.before_train(runner)
    for number in range(3):
        step(hook, runner, number)
    weight, mean = model[0].weight.detach().clone(), hook.state_dict()["model"]["0.weight"].clone()
    hook.after_train_epoch(runner)
    assert torch.equal(model[1].weight, mean) and not torch.equal(mean, weight)
    hook.save_point(runner)
    assert torch.equal(model[1].weight, weight) and model[0].weight is model[1].weight


def test_momentum_1_is_the_plain_mean_over_all_steps():
    runner, hook, seen = SimpleNamespace(model=nn.Linear(3, 2)), EMAHook(1.0), []
    hook.before_train(runner)
    for number in range(5):
        step(hook, runner, number)
        seen.append(runner.model.weight.detach().double().clone())
    torch.testing.assert_close(hook.held["weight"].double(), torch.stack(seen).mean(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("momentum", [-0.1, 1.5])
def test_mistakes_are_named(momentum):
    with pytest.raises(ConfigError, match="EMAHook: momentum must be"):
        EMAHook(momentum)
