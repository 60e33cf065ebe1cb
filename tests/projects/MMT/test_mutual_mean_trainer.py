from __future__ import annotations

import copy

import pytest
import torch

from reidzoo.engine.build import build_train_sets
from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline
from reidzoo.transforms import Normalize

PAIRS = {"student": "model", "student2": "model2"}


@pytest.fixture
def build(small_config, tmp_path):
    def build(**overrides):
        opts = {"STAGES.mmt.WEIGHTS": "null", **overrides}
        cfg = Pipeline(small_config(**opts)).stages["mmt"]
        sets, device = build_train_sets(cfg), torch.device("cpu")
        trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=tmp_path, device=device)
        trainer.relabel("target", torch.arange(len(sets["target"])) // 6, torch.randn(12, trainer.model.embedding_dim))
        trainer.parts.train()
        return trainer

    return build


def parameters(trainer, part):
    return {key: value.detach().clone() for key, value in trainer.parts[part].named_parameters()}


def test_networks_differ_and_classifiers_are_the_normalised_centroids(build):
    trainer = build()
    for student, teacher in PAIRS.items():
        ours, theirs = parameters(trainer, student), parameters(trainer, teacher)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
        assert not any(value.requires_grad for value in trainer.parts[teacher].parameters())
        weight = trainer.parts[student].head.classifier.weight
        torch.testing.assert_close(weight.norm(dim=1), torch.ones(12))
        assert torch.equal(weight, trainer.model.head.classifier.weight)
    one, two = parameters(trainer, "student"), parameters(trainer, "student2")
    assert not torch.equal(one["backbone.conv1.weight"], two["backbone.conv1.weight"])
    trained = {id(p) for p in trainer.optims["model"].parameters}
    assert trained == {id(p) for s in PAIRS for p in trainer.parts[s].parameters() if p.requires_grad}


def test_teachers_are_the_moving_average_of_the_parameters(build):
    trainer = build(**{"STAGES.mmt.TRAINER.momentum": 0.6})
    means = {t: {k: v.double() for k, v in parameters(trainer, t).items()} for t in PAIRS.values()}
    for step, batch in enumerate(trainer.loader.epoch(0)):
        trainer.train_step(batch)
        trainer.iter += 1
        alpha = min(1 - 1 / (step + 1), 0.6)
        for student, teacher in PAIRS.items():
            for key, now in parameters(trainer, student).items():
                means[teacher][key] = alpha * means[teacher][key] + (1 - alpha) * now.double()
    for teacher, mean in means.items():
        for key, value in parameters(trainer, teacher).items():
            torch.testing.assert_close(value.double(), mean[key], rtol=1e-5, atol=1e-6)
    statistics = [dict(trainer.parts[part].named_buffers())["head.bn.running_mean"] for part in ("student", "model")]
    assert not torch.equal(*statistics), "a teacher's statistics are its own"


def test_a_step_minimises_the_papers_loss(build):
    """Both students' gradients equal those of the loss written out term by term."""
    trainer = build()
    batch = next(trainer.loader.epoch(0))
    losses = trainer.losses["model"].losses
    copies = {name: copy.deepcopy(trainer.parts[name]) for name in ("student", "student2", "model", "model2")}
    view = {"student": batch["img"], "student2": batch["img2"], "model": batch["img"], "model2": batch["img2"]}
    out = {name: net(view[name]) for name, net in copies.items()}
    total = 0
    for own, other in (("student", "model2"), ("student2", "model")):
        total = total + 0.5 * losses["id"](out[own]["logits"], batch["pid"])
        total = total + 0.5 * losses["soft_id"](out[own]["logits"], out[other]["logits"])
        total = total + 0.2 * losses["triplet"](out[own]["feat"], batch["pid"])
        total = total + 0.8 * losses["soft_triplet"](out[own]["feat"], out[other]["feat"], batch["pid"])
    expected = [p for s in PAIRS for p in copies[s].parameters() if p.requires_grad]
    expected = torch.autograd.grad(total, expected)
    seen = {}

    def note(loss):
        parameters = [p for s in PAIRS for p in trainer.parts[s].parameters() if p.requires_grad]
        seen["gradients"] = torch.autograd.grad(loss, parameters)

    trainer.optims["model"].minimize = note
    scalars = trainer.step_model(batch)
    assert sum(scalars.values()).item() == pytest.approx(total.item(), rel=1e-5)
    assert set(scalars) == {f"{name}{n}" for name in losses for n in ("", "2")}
    for ours, theirs in zip(seen["gradients"], expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


class Recorder:
    """A clusterer that remembers what it was given."""

    def fit_predict(self, features):
        self.features = features
        labels = torch.arange(len(features)) // 6 - 1
        return labels.numpy()


@pytest.mark.parametrize("hook", ["{type: RenewOptimizersHook}", "null"])
def test_new_labels_and_the_optimizer(build, hook):
    trainer = build(**{"STAGES.mmt.HOOKS.renew": hook})
    trainer.clusterer = Recorder()
    trainer.train_step(next(trainer.loader.epoch(0)))
    trainer.call("before_train_epoch")
    state = trainer.optims["model"].torch.state
    assert (trainer.parts["student"].backbone.conv1.weight in state) == (hook == "null")
    assert trainer.parts["student2"].head.classifier.weight not in state
    trainer.train_step(next(trainer.loader.epoch(1)))
    assert trainer.parts["student2"].head.classifier.weight in trainer.optims["model"].torch.state


def test_labels_come_from_both_teachers_and_classifiers_start_at_the_clusters_means(build):
    trainer = build()
    trainer.clusterer = Recorder()
    trainer.call("before_train_epoch")
    images = Normalize(trainer.cfg.INPUT.MEAN, trainer.cfg.INPUT.STD)(trainer.loader.table[range(72)])
    with torch.no_grad():
        features = sum(trainer.parts[name].eval().embed(images) for name in ("model", "model2")) / 2
    torch.testing.assert_close(trainer.clusterer.features, features, rtol=1e-4, atol=1e-5)
    labels = torch.from_numpy(trainer.sets["target"].pids)
    assert (labels[:6] == -1).all() and trainer.num_classes == 11
    for part in ("student", "student2", "model", "model2"):
        for cluster, row in enumerate(trainer.parts[part].head.classifier.weight.detach()):
            mean = features[labels == cluster].double().mean(0)
            torch.testing.assert_close(row.double(), mean / mean.norm(), rtol=1e-3, atol=1e-4)
    assert (torch.cat([batch["index"] for batch in trainer.loader.epoch(0)]) >= 6).all(), "an outlier was drawn"


def test_networks_start_from_the_stages_that_weights_names(build, tmp_path):
    first = build()
    for name in ("model", "model2"):
        torch.save({"parts": {"model": first.parts[name].state_dict()}}, tmp_path / f"{name}.pth")
    weights = f"{{model: {tmp_path}/model.pth, model2: {tmp_path}/model2.pth}}"
    torch.manual_seed(5)
    second = build(**{"STAGES.mmt.WEIGHTS": weights})
    for student, teacher in PAIRS.items():
        key = "backbone.layer4.1.conv2.weight"
        assert torch.equal(parameters(second, student)[key], parameters(first, teacher)[key])
        assert torch.equal(parameters(second, teacher)[key], parameters(first, teacher)[key])


def test_mistakes_are_named(build):
    with pytest.raises(ConfigError, match=r"INPUT\.VIEWS"):
        build(**{"STAGES.mmt.INPUT.VIEWS": 1})
    with pytest.raises(ConfigError, match="model2"):
        build(**{"STAGES.mmt.WEIGHTS": "{model2: null}"})
