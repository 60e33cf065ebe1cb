from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

from ..conftest import ADVERSARIAL

MIXED = {"DATASETS": ADVERSARIAL["DATASETS"]}


@pytest.fixture
def build(write_config, tmp_path):
    def build(**changes):
        (cfg,) = Pipeline(load_config(write_config(**changes))).stages.values()
        arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
        trainer = TRAINER.build(cfg.TRAINER, **arguments)
        trainer.parts.train()
        return trainer

    return build


def moved(trainer, batch):
    """Return the parts whose parameters the step moves."""
    before = {key: value.detach().clone() for key, value in trainer.parts.named_parameters()}
    trainer.train_step(batch)
    return {key.split(".")[0] for key, value in trainer.parts.named_parameters() if not torch.equal(value, before[key])}


def test_each_phase_moves_its_own_part_only(build):
    trainer = build(**ADVERSARIAL)
    batch = next(trainer.loader.epoch(0))
    assert set(batch["domain"].tolist()) == {0, 1}
    trainer.phase = "discriminator"
    assert moved(trainer, batch) == {"discriminator"}
    trainer.phase = "model"
    assert moved(trainer, batch) == {"model"}


def test_a_phase_without_a_step_names_those_there_are(build):
    with pytest.raises(ConfigError, match=r"AdversarialTrainer has no phase 'disc'; it has .*'discriminator', 'model'"):
        build(**ADVERSARIAL).check_phase("disc")


def test_minimize_steps_down_the_sum_and_returns_each_loss(build):
    trainer, twin = build(), build()
    twin.parts.load_state_dict(trainer.parts.state_dict())
    batch = next(trainer.loader.epoch(0))
    tensors = {**batch, **trainer.forward(batch["img"])}
    scalars = trainer.minimize("model", tensors=tensors)
    losses = twin.losses["model"]({**batch, **twin.forward(batch["img"])})
    twin.optims["model"].minimize(losses["id"] + losses["triplet"])
    assert scalars.keys() == losses.keys() and not any(value.requires_grad for value in scalars.values())
    for name, value in losses.items():
        torch.testing.assert_close(scalars[name], value.detach())
    for one, two in zip(trainer.parts.parameters(), twin.parts.parameters()):
        torch.testing.assert_close(one, two)


def test_minimize_without_its_losses_or_optimizer_says_what_to_add(build):
    trainer = build()
    with pytest.raises(ConfigError, match=r"lacks LOSSES: a loss of phase extra and OPTIMIZERS\.sgd, .* phase 'model'"):
        trainer.minimize("model", "extra", tensors={}, optimizer="sgd")


def test_a_part_that_nothing_trains_is_named(build):
    with pytest.raises(ConfigError, match=r"discriminator.*OPTIMIZERS"):
        build(**{**ADVERSARIAL, "OPTIMIZERS": {}})


def test_a_loss_of_a_phase_that_is_never_taken_is_named(build):
    node = {"type": "CrossEntropyLoss", "phase": "discriminater"}
    with pytest.raises(ConfigError, match=r"LOSSES.extra: AdversarialTrainer has no phase 'discriminater'.*backbone"):
        build(**{**ADVERSARIAL, "LOSSES": {**ADVERSARIAL["LOSSES"], "extra": node}})


def test_names_of_parts_may_not_clash(build):
    with pytest.raises(ConfigError, match="called 'model'"):
        build(DISCRIMINATORS={"model": {"type": "MLPDiscriminator", "widths": [4]}})


@pytest.mark.parametrize("name", ["keys", "train", "per.domain"])
def test_a_name_that_torch_does_not_take_is_named(build, name):
    with pytest.raises(ConfigError, match=rf"cannot be called '{name}'.*another name"):
        build(DISCRIMINATORS={name: {"type": "MLPDiscriminator", "widths": [4]}})


def test_relabel_makes_a_classifier_that_is_trained_and_sampled(build):
    trainer = build()
    batch = next(trainer.loader.epoch(0))
    trainer.train_step(batch)
    old = trainer.model.head.classifier.weight
    labels = torch.arange(72) // 6 % 5
    labels[60:] = -1
    trainer.relabel("train", labels)
    assert trainer.num_classes == 5 and trainer.model.head.classifier.weight.shape[0] == 5
    assert all(p is not old for p in trainer.optims["model"].parameters)
    for batch in trainer.loader.epoch(1):
        assert set(batch["pid"].tolist()) <= set(range(5)) and batch["index"].max() < 60
        before = trainer.model.head.classifier.weight.detach().clone()
        trainer.train_step(batch)
        assert not torch.equal(before, trainer.model.head.classifier.weight)


def test_the_first_classifier_of_an_unlabelled_set_is_trained(build):
    trainer = build(DATASETS={"TRAIN": {"train": {"type": "Unlabeled", "dataset": {"type": "Market1501"}}}})
    assert trainer.model.head.classifier is None
    centroids = torch.randn(12, trainer.model.embedding_dim)
    trainer.relabel("train", torch.arange(72) // 6, centroids)
    before = trainer.model.head.classifier.weight.detach().clone()
    torch.testing.assert_close(before, torch.nn.functional.normalize(centroids))
    first, second = list(trainer.loader.epoch(0))[:2]
    trainer.train_step(first)
    assert not torch.equal(before, trainer.model.head.classifier.weight)

    moments = trainer.optims["model"].torch.state[trainer.model.backbone.conv1.weight]
    trainer.relabel("train", torch.arange(72) // 12)
    state = trainer.optims["model"].torch.state
    assert state[trainer.model.backbone.conv1.weight] is moments, "what stayed keeps its moments"
    assert trainer.model.head.classifier.weight not in state
    trainer.train_step({**second, "pid": second["pid"] // 2})
    assert moments["step"] == 2 and state[trainer.model.head.classifier.weight]["step"] == 1


def test_state_of_a_relabelled_run_is_restored(build):
    first = build()
    first.relabel("train", torch.arange(72) // 8)
    first.train_step(next(first.loader.epoch(0)))
    first.epoch, first.step, first.iter, first.phase = 1, 2, 6, "later"
    second = build()
    second.load_state_dict(first.state_dict())
    assert (second.epoch, second.step, second.iter, second.phase) == (1, 2, 6, "later")
    np.testing.assert_array_equal(second.sets["train"].pids, first.sets["train"].pids)
    for key, value in first.parts.state_dict().items():
        assert torch.equal(second.parts.state_dict()[key], value), key


def test_state_of_another_configuration_is_refused(build):
    with pytest.raises(WeightsError, match="discriminator"):
        build(**MIXED).load_state_dict(build(**ADVERSARIAL).state_dict())
    other = build(BACKBONE={"type": "ResNet", "depth": 18, "width": 8, "last_stride": 1, "pretrained": ""})
    with pytest.raises(WeightsError, match="does not fit"):
        other.load_state_dict(build().state_dict())


def test_weights_of_other_parts_are_loaded(build, tmp_path):
    first = build(**ADVERSARIAL)
    torch.save({"parts": {name: part.state_dict() for name, part in first.parts.items()}}, tmp_path / "first.pth")
    torch.manual_seed(5)
    second = build(**ADVERSARIAL, WEIGHTS={"discriminator": str(tmp_path / "first.pth")})
    for key, value in first.parts["discriminator"].state_dict().items():
        assert torch.equal(second.parts["discriminator"].state_dict()[key], value)
    assert not torch.equal(second.model.backbone.conv1.weight, first.model.backbone.conv1.weight)
    with pytest.raises(ConfigError, match=r"no part 'teacher'.*discriminator"):
        build(**ADVERSARIAL, WEIGHTS={"teacher": str(tmp_path / "first.pth")})


def test_bf16_gives_float32_losses_near_those_of_fp32(build):
    exact, rough = build(), build(SOLVER={"PRECISION": "bf16", "IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4})
    rough.parts.load_state_dict(exact.parts.state_dict())
    batch = next(exact.loader.epoch(0))
    one, two = exact.train_step(batch), rough.train_step(batch)
    assert all(value.dtype == torch.float32 for value in two.values())
    torch.testing.assert_close(two["id"], one["id"], rtol=0.05, atol=0.05)
