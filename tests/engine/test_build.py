from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from reidzoo.config import load_config
from reidzoo.engine.build import build_model, build_test_table, build_train_sets, final_size, load_embedder, pick_device
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.errors import ConfigError
from reidzoo.registry import BACKBONE, TRAINER, TRANSFORM
from reidzoo.runs.pipeline import Pipeline
from reidzoo.transforms import RandomCrop


def trainer_of(path, folder):
    (cfg,) = Pipeline(load_config(path)).stages.values()
    device = torch.device("cpu")
    return TRAINER.build(cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=folder, device=device)


class CentralCrop(RandomCrop):
    """A registered subclass: it inherits ``out_size``."""

    def __call__(self, images, draw):
        top, left = ((have - want) // 2 for have, want in zip(images.shape[2:], self.size))
        return images[:, :, top : top + self.size[0], left : left + self.size[1]]


class Halve:
    """A third party's transform that makes images of half their height and width."""

    def out_size(self, size):
        return size[0] // 2, size[1] // 2

    def __call__(self, images, draw):
        return functional.avg_pool2d(images.float(), 2)


@pytest.fixture
def third_party():
    classes = (CentralCrop, Halve)
    for cls in classes:
        TRANSFORM.register_module(module=cls)
    yield
    for cls in classes:
        del TRANSFORM.module_dict[cls.__name__]


@pytest.mark.parametrize(
    ("transforms", "size"),
    [
        ({"crop": {"type": "CentralCrop", "size": [28, 12]}}, (28, 12)),
        ({"crop": {"type": "RandomCrop", "size": [28, 12]}, "half": {"type": "Halve"}}, (14, 6)),
    ],
)
def test_transforms_say_the_size_that_they_leave(third_party, write_config, tmp_path, transforms, size):
    nodes = {"crop": transforms.pop("crop"), **transforms, "flip": None, "normalize": None, "erase": None}
    nodes |= {"after": {"type": "Normalize"}}
    trainer = trainer_of(write_config(INPUT={"SIZE": [32, 16], "TRANSFORMS": nodes}), tmp_path)
    assert next(trainer.loader.epoch(0))["img"].shape[2:] == size == final_size(trainer.cfg)
    assert build_test_table(trainer.cfg, trainer.sets["train"].paths)[[0]].shape == (1, 3, *size)


def test_images_are_tested_at_the_size_that_training_leaves(write_config, tmp_path):
    plain = trainer_of(write_config(), tmp_path)
    assert final_size(plain.cfg) == (32, 16)
    crop = {"crop": {"type": "RandomCrop", "size": [28, 12]}}
    cropped = trainer_of(write_config(INPUT={"SIZE": [32, 16], "TRANSFORMS": crop}), tmp_path)
    assert final_size(cropped.cfg) == (28, 12)
    table = build_test_table(cropped.cfg, cropped.sets["train"].paths)
    assert table[[0, 1]].shape == (2, 3, 28, 12)
    assert next(cropped.loader.epoch(0))["img"].shape[2:] == (28, 12)

    seen = []
    for trainer in (plain, cropped):
        trainer.model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape[2:])))
        assert len(extract_train_features(trainer)) == 72
    assert set(seen) == {(32, 16), (28, 12)}


class OneConvolution(nn.Module):
    """A third party's backbone without an argument ``pretrained``."""

    out_channels = 4

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return self.layer(images)


class Pretrained(OneConvolution):
    """A third party's backbone with one, which a node need not give."""

    def __init__(self, pretrained="weights"):
        super().__init__()
        self.pretrained = pretrained


def test_a_backbone_need_not_have_pretrained(monkeypatch, write_config, tmp_path):
    monkeypatch.setitem(BACKBONE.module_dict, "OneConvolution", OneConvolution)
    cfg = load_config(write_config(BACKBONE={"type": "OneConvolution"}))
    trained = build_model(cfg, num_classes=3)
    torch.save({"parts": {"model": trained.state_dict()}}, tmp_path / "model.pth")
    loaded = load_embedder(cfg, tmp_path / "model.pth")
    assert torch.equal(loaded.backbone.layer.weight, trained.backbone.layer.weight)


def test_weights_that_will_be_overwritten_are_not_fetched(monkeypatch, write_config):
    monkeypatch.setitem(BACKBONE.module_dict, "Pretrained", Pretrained)
    cfg = load_config(write_config(BACKBONE={"type": "Pretrained"}))
    assert build_model(cfg, 0).backbone.pretrained == "weights"
    assert build_model(cfg, 0, initialise=False).backbone.pretrained == ""


class NoTrainer:
    def __init__(self, cfg, sets, output_dir, device):
        pass


class NoStep(TRAINER.get("BaselineTrainer").__mro__[1]):
    """A trainer without a step."""


@pytest.mark.parametrize(("cls", "said"), [(NoTrainer, "has no train, train_step"), (NoStep, "has no step_<phase>")])
def test_what_is_no_trainer_is_found_out_before_anything_is_built(monkeypatch, write_config, tmp_path, cls, said):
    monkeypatch.setitem(TRAINER.module_dict, cls.__name__, cls)
    path = write_config(TRAINER={"type": cls.__name__})
    with pytest.raises(ConfigError, match=f"TRAINER: {cls.__name__} {said}.*subclass of reidzoo.trainers.Trainer"):
        Pipeline(load_config(path)).train()
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="DEVICE: cuda, but torch finds no CUDA device here"):
        pick_device("cuda")
    with pytest.raises(ConfigError, match="DEVICE: cuda:1, but torch finds no CUDA device here"):
        pick_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="DEVICE: cuda:1, but there are 1 CUDA devices, the first cuda:0"):
        pick_device("cuda:1")
    assert pick_device("cuda:0") == pick_device(torch.device("cuda:0")) == torch.device("cuda:0")


@pytest.mark.parametrize("name", ["gpu", "CPU", "", None])
def test_a_device_that_is_none_is_named(name):
    with pytest.raises(ConfigError, match=f"DEVICE: {name!r} names no device; there are auto, cpu, cuda"):
        pick_device(name)
