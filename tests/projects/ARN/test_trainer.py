"""One step against Eq. 1 to 5, and what is refused."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError

PLAIN = {
    "HEAD.dropout": 0.0,
    "OPTIMIZERS.model.momentum": 0.0,
    "OPTIMIZERS.model.weight_decay": 0.0,
    "LOSSES.contrastive.margin": 4.0,  # features of 16 numbers
}
UNSUPERVISED = {"LOSSES.id": "null", "LOSSES.contrastive": "null", "HOOKS.freeze.begin_epoch": 0}
NO_PRIVATE = {"MODEL.private": "false", "LOSSES.difference": "null"}


def equations(model, batch, margin=4.0):
    """Eq. 1 to 4, image by image and pair by pair, from one forward of both domains."""
    outputs = model(torch.cat([batch["source"]["img"], batch["target"]["img"]]))
    pid, half = batch["source"]["pid"], len(batch["source"]["pid"])
    l_class = -torch.stack([torch.log_softmax(z, 0)[y] for z, y in zip(outputs["logits"][:half], pid)]).mean()
    costs, pushed = [], []
    for i in range(half):
        for j in range(i + 1, half):
            distance = (outputs["feat"][i] - outputs["feat"][j]).square().sum().sqrt()
            if pid[i] != pid[j]:
                pushed.append(float(distance < margin))
            costs.append(distance**2 if pid[i] == pid[j] else (margin - distance).clamp(min=0) ** 2)
    l_ctrs = torch.stack(costs).mean()
    l_rec, l_diff = [], 0.0
    for rows in (slice(0, half), slice(half, None)):
        l_rec.append((outputs["original"][rows].detach() - outputs["rebuilt"][rows]).square().mean())
        if "private" in outputs:
            shared, private = (outputs[name][rows] for name in ("feat", "private"))
            shared, private = (m / m.norm(dim=1, keepdim=True) for m in (shared, private))
            l_diff = l_diff + (shared.t() @ private).square().mean()
    return l_class, l_ctrs, l_rec, l_diff, sum(pushed) / len(pushed)


@pytest.mark.parametrize("changes", [{}, NO_PRIVATE], ids=["full", "without private encoders"])
def test_a_step_equals_the_equations(build, changes):
    ours, plain = build(**PLAIN, **changes), build(**PLAIN, **changes)
    batch = next(ours.loader.epoch(0))
    l_class, l_ctrs, l_rec, l_diff, active = equations(plain.model, batch)
    scalars = ours.train_step(batch)
    expected = {
        "id": l_class,
        "contrastive": 0.01 * l_ctrs,
        "reconstruction_source": 2.0 * l_rec[0],
        "reconstruction_target": 2.0 * l_rec[1],
        "difference": 1500.0 * l_diff,
    }
    if changes:
        del expected["difference"]
    assert 0 < active < 1 and scalars.pop("active").item() == pytest.approx(active)
    assert {name: value.item() for name, value in scalars.items()} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-4
    )
    (l_class + 0.01 * l_ctrs + 2.0 * sum(l_rec) + 1500.0 * l_diff).backward()
    after = dict(ours.model.named_parameters())
    for name, parameter in plain.model.named_parameters():
        rate = 1e-7 if name.startswith("backbone") else 2e-3 if name.startswith("head") else 1e-3
        torch.testing.assert_close(after[name], parameter.detach() - rate * parameter.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss, reached", [
    ("id", {"backbone", "shared", "head"}),
    ("contrastive", {"backbone", "shared"}),
    # The decoder's batch norm is over both domains, so that either one's map depends a little on the other's.
    ("reconstruction_source", {"backbone", "shared", "private.source", "private.target", "decoder"}),
    ("reconstruction_target", {"backbone", "shared", "private.source", "private.target", "decoder"}),
    ("difference", {"backbone", "shared", "private.source", "private.target"}),
])  # fmt: skip
def test_what_the_gradient_of_each_loss_reaches(build, monkeypatch, loss, reached):
    """Fig. 2: the rows of Table 2 differ in which encoders learn from what."""
    trainer = build(**PLAIN)
    losses = trainer.losses["model"].forward
    monkeypatch.setattr(trainer.losses["model"], "forward", lambda tensors: {loss: losses(tensors)[loss]})
    monkeypatch.setattr(trainer.optims["model"], "minimize", lambda total: total.backward())
    trainer.train_step(next(trainer.loader.epoch(0)))
    parts = ("backbone", "shared", "private.source", "private.target", "decoder", "head")
    assert reached == {
        name
        for name in parts
        if any(p.grad is not None and p.grad.any() for p in trainer.model.get_submodule(name).parameters())
    }


def test_learning_rates_of_section_4_2(build):
    trainer = build()
    rates = {
        name: group["lr"]
        for group in trainer.optims["model"].torch.param_groups
        for name, parameter in trainer.model.named_parameters()
        if any(parameter is p for p in group["params"])
    }
    expected = {"backbone": 1e-7, "shared": 1e-3, "private": 1e-3, "decoder": 1e-3, "head": 2e-3}
    assert rates == pytest.approx({name: expected[name.split(".")[0]] for name, _ in trainer.model.named_parameters()})


def moved(trainer, epochs=1):
    """Train so many epochs as the loop does, and return the parts of the model whose state changed."""
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trainer.hooks = {name: hook for name, hook in trainer.hooks.items() if name in ("freeze", "schedule")}
    trainer.max_epochs = trainer.epoch + epochs
    trainer.train()
    return {
        key.split(".")[0] for key, value in trainer.model.state_dict().items() if not torch.equal(value, before[key])
    }


def test_e_i_is_tuned_in_the_first_epochs_and_then_stays_to_the_last_statistic(build):
    trainer = build(**{"HOOKS.freeze.begin_epoch": 1})
    assert moved(trainer) == {"backbone", "shared", "private", "decoder", "head"}
    assert moved(trainer) == {"shared", "private", "decoder", "head"}


def test_without_supervised_losses_neither_e_i_nor_the_classifier_moves(build):
    assert moved(build(**UNSUPERVISED)) == {"shared", "private", "decoder"}


@pytest.mark.parametrize("changes", [{"LOSSES.difference": "null"}, {**NO_PRIVATE, **UNSUPERVISED}, NO_PRIVATE])
def test_rows_of_table_2_train(build, changes):
    scalars = build(**changes).train_step(next(build(**changes).loader.epoch(0)))
    assert all(torch.isfinite(value) for value in scalars.values()) and "reconstruction_target" in scalars


def test_the_targets_labels_are_not_seen(build):
    plain, labelled = build(), build(**{"DATASETS.TRAIN.target": "Market1501", "SAMPLER.num_instances": 4})
    assert plain.num_classes == labelled.num_classes == 12
    batch = next(plain.loader.epoch(0))
    assert (batch["target"]["pid"] == -1).all()
    before = plain.train_step({**batch, "target": {"img": batch["target"]["img"]}})  # nothing else is taken
    assert torch.isfinite(before["id"])


def test_the_draft(build):
    draft = {"MODEL.image_widths": "[8, 6, 4, 4, 3]", "INPUT.SIZE": "[64, 32]"}
    trainer = build("duke_market_draft.yml", **draft)
    batch = next(trainer.loader.epoch(0))
    scalars = trainer.train_step(batch)
    rebuilding = {"reconstruction_source", "reconstruction_target"}
    assert set(scalars) == {"id", "contrastive", "active", *rebuilding, "difference", "mmd"}
    assert "freeze" not in trainer.hooks and len(trainer.optims["model"].torch.param_groups) == 1
    assert batch["source"]["img"].min() >= -1 and batch["source"]["img"].max() <= 1


def test_the_drafts_norms_see_each_domain_alone(build):
    """One forward of both domains, its norms over groups of one: what a forward for each domain gives."""
    draft = {"MODEL.image_widths": "[8, 6, 4, 4, 3]", "INPUT.SIZE": "[64, 32]", "HEAD.dropout": 0.0}
    trainer = build("duke_market_draft.yml", **draft)
    images = torch.cat([data["img"] for data in next(trainer.loader.epoch(0)).values()])
    outputs = trainer.model(images)
    for half in (slice(0, 16), slice(16, 32)):
        alone = trainer.model.head(trainer.model.shared(trainer.model.backbone(images[half])))
        torch.testing.assert_close(outputs["feat"][half], alone["feat"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changes, said", [
    ({"DATASETS.TRAIN.target": "null"}, "source and target"),
    ({"DATASETS.TRAIN.third": "Market1501"}, "source and target"),
    ({"MODEL.BN_DOMAINS": 2}, "MODEL.BN_GROUP"),
])  # fmt: skip
def test_mistakes_are_named(build, changes, said):
    with pytest.raises(ConfigError, match=said):
        build(**changes)


def test_a_difference_loss_without_private_encoders_is_named(build):
    trainer = build(**{"MODEL.private": "false"})
    with pytest.raises(ConfigError, match="source_private"):
        trainer.train_step(next(trainer.loader.epoch(0)))


def test_bf16_gives_float32_losses(build):
    trainer = build(**{"SOLVER.PRECISION": "bf16"})
    scalars = trainer.train_step(next(trainer.loader.epoch(0)))
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in scalars.values())
