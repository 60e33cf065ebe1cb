"""One step against the paper's equations, and what the trainer says of itself."""

from __future__ import annotations

import logging
import shutil

import pytest
import torch
import torch.nn.functional as F

from reidzoo.datasets import Market1501
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.errors import ConfigError, DatasetError

STILL = {"HEAD.dropout": 0.0, "HEAD.target_dropout": 0.0}
PLAIN = {**STILL, "OPTIMIZERS.model": "{type: SGD, lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0}"}
SOURCE_ONLY = {"STAGES.adapt.DATASETS.TRAIN.target": "null", "STAGES.adapt.MEMORIES.exemplar": "null"}
SOURCE_ONLY |= {"STAGES.adapt.LOSSES.invariance": "null"}


def equation_9(trainer, batch, weight, epoch, beta=0.05, k=6):
    """Eq. 1, 3, 6, 8 and 9 with dense weights, from two forwards, source first."""
    source, target = (trainer.forward(batch[name]["img"]) for name in ("source", "target"))
    feat, index = F.normalize(target["feat"], dim=1), batch["target"]["index"]
    l_src = -torch.log_softmax(source["logits"], 1)[torch.arange(24), batch["source"]["pid"]].mean()
    log_p = torch.log_softmax(feat @ trainer.parts["exemplar"].keys.t() / beta, dim=1)
    weights = torch.zeros_like(log_p)
    if epoch >= 1:  # tiny: neighbours_from
        weights.scatter_(1, (feat.detach() @ trainer.parts["exemplar"].keys.t()).topk(k).indices, 1 / k)
    weights[torch.arange(24), index] = 1.0
    l_tgt = -(weights * log_p).sum(1).mean()
    return l_src, l_tgt, (1 - weight) * l_src + weight * l_tgt, feat


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("weight", [0.3, 0.0, 1.0])
def test_a_step_equals_the_equations(build, epoch, weight):
    changes = {**PLAIN, "TRAINER.target_weight": weight}
    ours, plain = build(**changes), build(**changes)
    ours.epoch = epoch
    batch = next(ours.loader.epoch(epoch))
    for trainer in (ours, plain):
        trainer.parts["exemplar"].keys.copy_(F.normalize(torch.randn(72, 16, generator=torch.manual_seed(3))))
    keys = ours.parts["exemplar"].keys.clone()
    scalars = ours.train_step(batch)
    l_src, l_tgt, total, feat = equation_9(plain, batch, weight, epoch)
    assert scalars["id"].item() == pytest.approx(l_src.item(), rel=1e-5)
    assert scalars["invariance"].item() == pytest.approx(l_tgt.item(), rel=1e-4)
    total.backward()
    after = dict(ours.model.named_parameters())
    for name, parameter in plain.model.named_parameters():
        grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        rate = 0.01 if name.startswith("backbone") else 0.1
        torch.testing.assert_close(after[name], parameter.detach() - rate * grad, rtol=1e-3, atol=1e-4)
    index = batch["target"]["index"]
    keys[index] = F.normalize(0.01 * epoch * keys[index] + (1 - 0.01 * epoch) * feat.detach(), dim=1)
    torch.testing.assert_close(ours.parts["exemplar"].keys, keys, rtol=1e-4, atol=1e-5)
    for name, buffer in plain.model.named_buffers():  # batch norm has seen the source, then the target
        torch.testing.assert_close(dict(ours.model.named_buffers())[name], buffer, rtol=1e-4, atol=1e-5)


def test_what_is_stored_is_what_dropout_left(build):
    trainer = build()
    batch = next(trainer.loader.epoch(0))
    trainer.train_step(batch)
    stored = trainer.parts["exemplar"].keys[batch["target"]["index"]]
    assert 0.3 < (stored == 0).float().mean() < 0.7
    torch.testing.assert_close(stored.norm(dim=1), torch.ones(24))


def test_learning_rates(build):
    trainer = build()
    rates = {
        name: group["lr"]
        for group in trainer.optims["model"].torch.param_groups
        for name, parameter in trainer.model.named_parameters()
        if any(parameter is p for p in group["params"])
    }
    assert all(rate == pytest.approx(0.01 if name.startswith("backbone") else 0.1) for name, rate in rates.items())
    assert all(group["nesterov"] for group in trainer.optims["model"].torch.param_groups)


def test_source_only_is_the_baseline(build):
    trainer = build(**SOURCE_ONLY)
    batch = next(trainer.loader.epoch(0))
    scalars = trainer.train_step(batch)
    assert set(scalars) == {"id"} and "exemplar" not in trainer.parts and trainer.num_classes == 12


@pytest.mark.parametrize("changes, said, level", [
    ({"DATASETS.TRAIN.target.styles": "color_transfer"}, "invariances E+C+N; camera styles: ColorTransfer", "INFO"),
    ({}, "invariances E+N, without camera-invariance (C): there is no folder of style images", "WARNING"),
    ({"DATASETS.TRAIN.target.styles": "none", "MEMORIES.exemplar.neighbours": 0}, "invariances E, without", "INFO"),
    (SOURCE_ONLY, "ECN's baseline: the source's loss alone, on DukeMTMC", "INFO"),
])  # fmt: skip
def test_it_says_once_what_it_is(build, caplog, changes, said, level):
    with caplog.at_level(logging.INFO, logger="reidzoo"):
        trainer = build(**changes)
        for batch in trainer.loader.epoch(0):
            trainer.train_step(batch)
    (record,) = [r for r in caplog.records if "ECN" in r.getMessage()]
    assert said in record.getMessage() and record.levelname == level
    if "ColorTransfer" in said:
        assert "not CamStyle" in record.getMessage()


def test_style_images_on_disk(build, tiny_root, tmp_path, caplog):
    root = shutil.copytree(tiny_root, tmp_path / "datasets")
    folder = root / "Market-1501-v15.09.15" / "bounding_box_train_camstyle"
    folder.mkdir()
    for record in Market1501(root).train:
        for other in {0, 1, 2} - {record.camid}:
            stem = record.path.rsplit("/", 1)[-1].removesuffix(".jpg")
            shutil.copy(record.path, folder / f"{stem}_fake_{record.camid + 1}to{other + 1}.jpg")
    with caplog.at_level(logging.INFO, logger="reidzoo"):
        trainer = build(**{"DATASETS.ROOT": root})
    assert f"invariances E+C+N; camera styles: the style images in {folder}" in caplog.text
    assert len(trainer.loader.table) == 3 * 72 + 72
    trainer.train_step(next(trainer.loader.epoch(0)))
    assert extract_train_features(trainer).shape[0] == 2 * 72  # the real images only
    next(folder.iterdir()).unlink()
    with pytest.raises(DatasetError, match="1 of the 144 style images"):
        build(**{"DATASETS.ROOT": root})


@pytest.mark.parametrize("changes, said", [
    ({"TRAINER.target_weight": 1.5}, "target_weight must be"),
    ({"MEMORIES.exemplar.dim": 8}, "MEMORIES.exemplar.dim is 8, and HEAD gives 16"),
    ({"MEMORIES.exemplar": "null"}, "go together"),
    ({"LOSSES.invariance": "null"}, "phase source and target"),
    ({"HEAD": "{type: BNNeck}"}, "output 'exemplar'"),
    ({"DATASETS.TRAIN.third": "Market1501"}, "source and target"),
])  # fmt: skip
def test_mistakes_are_named(build, changes, said):
    with pytest.raises(ConfigError, match=said):
        build(**changes)


def test_the_target_may_be_labelled_and_its_labels_are_not_used(build):
    trainer = build(**{"DATASETS.TRAIN.target": "Market1501"})
    assert trainer.num_classes == 12 and trainer.model.num_classes == 12


def test_bf16_gives_float32_losses(build):
    trainer = build(**{"SOLVER.PRECISION": "bf16"})
    scalars = trainer.train_step(next(trainer.loader.epoch(0)))
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in scalars.values())
