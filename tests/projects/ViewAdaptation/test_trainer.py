"""Each step against the equations, and what it moves."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml
from view_adaptation.trainer import FIT_EPOCHS

from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.datasets.nodes import validation_part
from reidzoo.errors import ConfigError
from reidzoo.losses import MMDLoss
from reidzoo.models import TwoViewEmbedder

PROJECT = Path(__file__).parents[3] / "projects" / "ViewAdaptation"

PLAIN = {
    "STAGES.adapt.SOLVER.GRAD_CLIP": 0.0,
    "STAGES.adapt.TRAINER.fit_batches": 1,
    "STAGES.adapt.TRAINER.fit_steps": 1,
    "STAGES.adapt.TRAINER.norm": "train",
    "STAGES.adapt.DISCRIMINATORS.view": "{type: MLPDiscriminator, widths: [8], norm: true, slope: 0.0}",
    "STAGES.adapt.OPTIMIZERS.confusion": "null",
    "STAGES.adapt.OPTIMIZERS.model": "{type: SGD, lr: 0.1, params: [model, similarity]}",
    "STAGES.adapt.OPTIMIZERS.view": "{type: SGD, lr: 0.1}",
}


def moved(trainer, before):
    """Return the names of the parts, and of the model's networks, whose parameters have changed."""
    names = ("model.query", "model.gallery", "similarity", "view")
    parts = {name: trainer.parts.get_submodule(name) for name in names}
    return {n for n in names if any(not torch.equal(p, before[n][k]) for k, p in parts[n].named_parameters())}


def take(trainer, phase, batch):
    """Take one step; returns its scalars and what it moved."""
    names = ("model.query", "model.gallery", "similarity", "view")
    before = {name: copy.deepcopy(dict(trainer.parts.get_submodule(name).named_parameters())) for name in names}
    trainer.phase = phase
    return trainer.train_step(batch), moved(trainer, before)


@pytest.mark.parametrize("phase, moves", [
    ("model", {"model.query", "model.gallery", "similarity"}),
    ("discriminator", {"view"}),
    ("confusion", {"model.query", "model.gallery"}),
    ("joint", {"model.query", "model.gallery", "similarity"}),
])  # fmt: skip
def test_what_a_phase_moves(build, phase, moves):
    trainer = build()
    scalars, found = take(trainer, phase, next(trainer.loader.epoch(0)))
    assert found == moves
    assert set(scalars) == {
        "model": {"similarity"}, "discriminator": {"view"}, "confusion": {"confusion"},
        "joint": {"similarity", "confusion"},
    }[phase]  # fmt: skip


def equations(trainer, batch, adaptive):
    """L_Dd (Eq. 1), L_M (Eq. 3) and L_Ds (Eq. 2 or 5) with plain sums over the batch."""
    probe, gallery = batch["viewid"] == 0, batch["viewid"] == 1
    f = trainer.model.query(batch["img"][probe])["feat"]
    g = trainer.model.gallery(batch["img"][gallery])["feat"]
    view, pair = trainer.parts["view"], trainer.parts["similarity"]
    d_f, d_g = F.softmax(view(torch.cat([f, g])), 1)[:, 0].split(len(f))
    l_dd = -d_f.log().mean() - (1 - d_g).log().mean()
    l_m = -sum((0.5 * d.log() + 0.5 * (1 - d).log()).mean() for d in (d_f, d_g))
    l_ds = 0.0
    for i in range(len(f)):
        y = batch["pid"][gallery] == batch["pid"][probe][i]
        d = (f[i] - g).norm(dim=1)
        d_s = torch.sigmoid(torch.stack([pair(f[i : i + 1], g[j : j + 1])[0, 0] for j in range(len(g))]))
        l_ds = l_ds - (y * d_s.log() + ~y * (1 - d_s).log()).mean() / len(f)
        pull, push = d**2, (2 - d).clamp(min=0) ** 2
        if adaptive:
            w_p, w_n = d[y].detach().exp(), (-d[~y].detach()).exp()
            contrastive = (w_p / w_p.sum() * pull[y]).sum() + (w_n / w_n.sum() * push[~y]).sum()
        else:
            contrastive = torch.where(y, pull, push).mean()
        l_ds = l_ds + 2.5 * contrastive / len(f)
    return {"view": l_dd, "confusion": l_m, "similarity": l_ds}


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("phase, terms, optimizer", [
    ("model", ("similarity",), "model"),
    ("discriminator", ("view",), "view"),
    ("confusion", ("confusion",), "model"),
    ("joint", ("similarity", "confusion"), "model"),
])  # fmt: skip
def test_a_step_equals_the_equations(build, phase, terms, optimizer, adaptive):
    changes = {**PLAIN, "STAGES.adapt.LOSSES.similarity.adaptive": adaptive}
    ours, plain = build(**changes), build(**changes)
    batch = next(ours.loader.epoch(0))
    scalars, _ = take(ours, phase, batch)
    expected = equations(plain, batch, adaptive)
    for term in terms:
        assert scalars[term].item() == pytest.approx(expected[term].item(), rel=1e-4)
    sum(expected[term] for term in terms).backward()
    parts = ("view",) if optimizer == "view" else ("model", "similarity")
    for part in parts:
        after = dict(ours.parts[part].named_parameters())
        for name, parameter in plain.parts[part].named_parameters():
            grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            torch.testing.assert_close(after[name], parameter.detach() - 0.1 * grad, rtol=1e-3, atol=1e-4)


def test_each_view_has_its_own_network(build):
    trainer = build()
    batch = next(trainer.loader.epoch(0))
    (probe, probe_pid), (gallery, gallery_pid) = trainer.embed_views(batch)
    views = batch["viewid"]
    assert isinstance(trainer.model, TwoViewEmbedder) and trainer.model.num_classes == 0
    assert torch.equal(probe_pid, batch["pid"][views == 0]) and torch.equal(gallery_pid, batch["pid"][views == 1])
    assert trainer.model.query.backbone.net == "vgg_m" and trainer.model.gallery.backbone.net == "vgg_16"
    torch.testing.assert_close(probe, trainer.model.query(batch["img"][views == 0])["feat"])
    torch.testing.assert_close(gallery, trainer.model.gallery(batch["img"][views == 1])["feat"])


def test_the_discriminators_step_leaves_all_of_the_mappings_alone(build):
    trainer = build(**{"BACKBONE.batch_norm": True, "MODEL.gallery_backbone.batch_norm": True})
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    take(trainer, "discriminator", next(trainer.loader.epoch(0)))
    assert any("running_mean" in key for key in before)
    assert all(torch.equal(value, before[key]) for key, value in trainer.model.state_dict().items())
    assert trainer.model.training


def test_each_fit_is_to_batches_of_its_own_that_training_never_has(build, monkeypatch):
    trainer, drawn = build(), []
    batch, draw = next(trainer.loader.epoch(0)), trainer.loader.draw
    monkeypatch.setattr(trainer.loader, "draw", lambda *numbers: drawn.append(numbers) or draw(*numbers))
    for trainer.iter in (0, 5):
        take(trainer, "discriminator", batch)
    assert drawn == [(FIT_EPOCHS, 2), (FIT_EPOCHS + 5, 2)]


@pytest.mark.parametrize("stage", ["similarity", "adapt"])
def test_what_is_validated_does_not_depend_on_the_view_discriminator(build, stage):
    trainer = build(stage)
    batch = next(trainer.loader.epoch(0))
    assert trainer.validation_loss(batch).item() == pytest.approx(pair_loss(trainer, batch), rel=1e-6)


def test_algorithm_1_to_the_letter_has_nothing_to_validate(build):
    trainer = build(file="literal.yml")
    with pytest.raises(ConfigError, match="LOSSES: validation_loss takes a loss of phase 'model'"):
        trainer.validation_loss(next(trainer.loader.epoch(0)))


def state(trainer, part):
    return {key: value.clone() for key, value in trainer.parts[part].state_dict().items()}


@pytest.mark.parametrize("phase", ["confusion", "joint"])
def test_the_view_discriminator_is_fixed_in_the_mappings_steps(build, phase):
    norms = {"BACKBONE.batch_norm": True, "MODEL.gallery_backbone.batch_norm": True}
    for norm, fixed in (("eval", True), ("train", False)):
        trainer = build(**norms, **{"STAGES.adapt.TRAINER.norm": norm})
        view = state(trainer, "view")
        running = {k: v for k, v in state(trainer, "model").items() if "running" in k}
        take(trainer, phase, next(trainer.loader.epoch(0)))
        assert all(torch.equal(value, view[key]) for key, value in state(trainer, "view").items()) == fixed
        model = state(trainer, "model")
        assert all(torch.equal(model[key], value) for key, value in running.items()) == fixed
        assert trainer.model.training and trainer.parts["view"].training


def test_joint_takes_a_step_of_either_loss_where_confusion_has_an_optimizer(build):
    # At the project's own rates, of 1e-5, one step is the other to within a tolerance.
    rates = {f"STAGES.adapt.OPTIMIZERS.{name}.lr": 0.1 for name in ("confusion", "model")}
    joint, turns = build(**rates), build(**rates)
    batch = next(joint.loader.epoch(0))
    scalars, _ = take(joint, "joint", batch)
    confused, _ = take(turns, "confusion", batch)
    with turns._fixed_norms():
        compared = turns.compare(turns.embed_views(batch))
    turns.phase = "model"
    paired = turns.minimize("model", tensors=compared, whole=True)
    torch.testing.assert_close(scalars, {**paired, **confused})
    for part in ("model", "similarity"):
        for ours, expected in zip(joint.parts[part].parameters(), turns.parts[part].parameters()):
            torch.testing.assert_close(ours, expected)


def pair_loss(trainer, batch):
    return trainer.losses["model"](trainer.compare(trainer.embed_views(batch)), whole=True)["similarity"].item()


def test_literal_algorithm_1_erases_the_identities_and_joint_does_not(build):
    """Started where the pairs are told apart, Eq. 1 and Eq. 3 alone multiply L_Ds; with Eq. 5 it stays where it was.

    What so short a training ends at depends on the processor's rounding. Over five seeds and two sets of instructions
    the first ended at 47 to 121 times L_Ds, the second at 0.9 to 1.6 times it.
    """
    after = {}
    for phase in ("confusion", "joint"):
        rates = {f"STAGES.adapt.OPTIMIZERS.{name}.lr": 0.005 for name in ("model", "view")}
        trainer = build(
            file="one_to_one.yml",
            **rates,
            **{"STAGES.adapt.TRAINER.fit_batches": 1},
            **{"BACKBONE.batch_norm": True, "MODEL.gallery_backbone.batch_norm": True},
        )
        batches = [batch for epoch in range(3) for batch in trainer.loader.epoch(epoch)]
        for batch in batches * 6:
            take(trainer, "model", batch)
        start = pair_loss(trainer, batches[0])
        for batch in batches * 4:
            take(trainer, "discriminator", batch)
            take(trainer, phase, batch)
        after[phase] = pair_loss(trainer, batches[0]) / start
    assert after["joint"] < 4 and after["confusion"] > 10 * after["joint"]


def row(name):
    """Return the overrides of stage 3 in a row of Table VII."""
    text = yaml.safe_load((PROJECT / "table7.yml").read_text())
    return text["ROWS"][name]["OVERRIDES"]["STAGES"]["adapt"]


@pytest.mark.parametrize("name", ["cuhk03_dan", "cuhk03_adda"])
def test_other_view_adaptations_move_the_gallerys_network_alone(build, name):
    trainer = build(overlay={"STAGES": {"adapt": row(name)}})
    batch = next(trainer.loader.epoch(0))
    before = copy.deepcopy(trainer.model)
    with trainer._fixed_norms():
        mapped = trainer.embed_views(batch)
        (probe, _), (gallery, _) = mapped
        if name == "cuhk03_dan":
            expected = MMDLoss([1.0, 2.0, 4.0, 8.0])(probe, gallery)
        else:  # the probe's images are to be taken for the gallery's as well, but their network does not move
            logits = trainer.parts["view"](torch.cat([probe, gallery]))
            wrong = torch.tensor([1] * len(probe) + [0] * len(gallery))
            expected = 2 * F.cross_entropy(logits, wrong)
    trainer.phase = "confusion"
    scalars = trainer.train_step(batch)
    assert scalars["confusion"].item() == pytest.approx(expected.item(), rel=1e-4)
    pairs = zip(trainer.model.named_parameters(), before.parameters())
    moved = {key.split(".")[0] for (key, after), first in pairs if not torch.equal(after, first)}
    assert moved == {"gallery"}
    trainer.check_phase("joint")


def test_normalised_features(build):
    trainer = build(**{"MODEL.normalise": True})
    for feat, _ in trainer.embed_views(next(trainer.loader.epoch(0))):
        torch.testing.assert_close(feat.norm(dim=1), torch.ones(8))


def test_an_unbalanced_batch_is_named(build):
    trainer = build()
    batch = next(trainer.loader.epoch(0))
    batch["viewid"] = torch.zeros_like(batch["viewid"])
    with pytest.raises(ConfigError, match="TwoViews dataset with the sampler ViewPairSampler"):
        trainer.train_step(batch)


def test_bf16_gives_float32_losses(build):
    trainer = build(**{"SOLVER.PRECISION": "bf16"})
    scalars, _ = take(trainer, "joint", next(trainer.loader.epoch(0)))
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in scalars.values())


@pytest.mark.parametrize("file", ["viper.yml", "market.yml", "duke.yml", "cuhk03.yml"])
def test_every_dataset_gives_balanced_batches_of_other_identities_than_are_validated_on(build, file):
    trainer = build(file=file, **({"STAGES.adapt.SAMPLER.num_instances": 2} if file == "viper.yml" else {}))
    for batch in trainer.loader.epoch(0):
        assert batch["viewid"].bincount().tolist() == [8, 8]
    held = TrainSet([build_dataset(validation_part(trainer.cfg.DATASETS.TRAIN), root=trainer.cfg.DATASETS.ROOT)])
    (trained,) = trainer.sets.values()
    assert not {record.pid for record in held.records} & {record.pid for record in trained.records}
    tested = {record.pid for name in ("query", "gallery") for record in getattr(trained.datasets[0], name)}
    assert not tested & {record.pid for data in (held, trained) for record in data.records}
