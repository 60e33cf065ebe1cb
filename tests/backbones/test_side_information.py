"""Side information: the embeddings of cameras and viewpoints against their formula, from the loader to the tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reidzoo.backbones import TimmBackbone
from reidzoo.backbones.side_information import SideInformation, side_information
from reidzoo.config import load_config
from reidzoo.datasets import build_dataset
from reidzoo.engine import evaluate
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.cameras import check_cameras, side_information_of
from reidzoo.errors import ConfigError
from reidzoo.runs.pipeline import Pipeline

TOKENS = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
CAMERAS, VIEWS = torch.tensor([2, 0, 1, 2]), torch.tensor([1, 0, 1, 0])


def told(module, camid=CAMERAS, viewid=VIEWS):
    with torch.no_grad(), side_information(camid, viewid):
        return module(TOKENS)


@pytest.mark.parametrize("cameras, views", [(3, 0), (0, 2), (3, 2)])
@pytest.mark.parametrize("tokens", ["all", "class"])
def test_equation_4(cameras, views, tokens):
    module = SideInformation(nn.Identity(), 5, cameras, views, weight=1.5, tokens=tokens)
    found = told(module)
    assert len(module.embedding) == max(cameras, 1) * max(views, 1)
    for image in range(4):
        row = {(3, 0): CAMERAS[image], (0, 2): VIEWS[image]}.get((cameras, views), CAMERAS[image] * 2 + VIEWS[image])
        for place in range(3):
            added = 1.5 * module.embedding[row] if tokens == "all" or place == 0 else 0
            torch.testing.assert_close(found[image, place], TOKENS[image, place] + added)


def test_unknown_cameras_get_the_mean_embedding():
    module = SideInformation(nn.Identity(), 5, cameras=3, weight=2.0)
    mean = TOKENS + 2 * module.embedding.mean(0)
    torch.testing.assert_close(module(TOKENS), mean)  # nobody told any
    found = told(module, torch.tensor([0, 3, -1, 9]))
    torch.testing.assert_close(found[1:], mean[1:])
    torch.testing.assert_close(found[0], TOKENS[0] + 2 * module.embedding[0])
    assert torch.equal(told(module, CAMERAS, None), module(TOKENS))


def test_gradients_are_those_of_the_cameras():
    module = SideInformation(nn.Identity(), 5, cameras=4)
    with side_information(CAMERAS, VIEWS):
        module(TOKENS).sum().backward()
    assert module.embedding.grad[:, 0].tolist() == [9.0, 9.0, 18.0, 0.0]  # weight 3 x 3 tokens x images


def test_another_number_of_images_is_refused():
    module = SideInformation(nn.Identity(), 5, cameras=3)
    with pytest.raises(ConfigError, match=r"cameras of 3 images are known, and 4 are forwarded.*BaselineTrainer"):
        told(module, CAMERAS[:3], VIEWS[:3])


@pytest.mark.parametrize(
    "sie, message",
    [
        ({"weight": 1.0}, "sie: give it cameras, views, or both"),
        ({"cameras": 2, "colour": 3}, "sie has cameras, views, weight and tokens"),
        ({"cameras": -1}, "sie: cameras must be"),
        ({"cameras": 2, "tokens": "some"}, "sie: tokens must be one of all, class"),
    ],
)
def test_mistakes_are_named(sie, message):
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match=message):
        TimmBackbone("test_vit", sie=sie)


def test_it_stands_behind_the_positions_of_a_vit_and_loads_as_it_was_saved(tmp_path):
    pytest.importorskip("timm")
    plain, sided = TimmBackbone("test_vit").eval(), TimmBackbone("test_vit", sie={"cameras": 3, "weight": 1.0}).eval()
    sided.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(2, 3, 64, 32)
    moved = sided.net.pos_drop.embedding[1].detach()
    plain.net.cls_token.data += moved
    plain.net.patch_embed.proj.bias.data += moved
    with torch.no_grad(), side_information(torch.tensor([1, 1]), torch.tensor([-1, -1])):
        torch.testing.assert_close(sided(images), plain(images))
    torch.save({f"backbone.{key}": value for key, value in sided.state_dict().items()}, tmp_path / "run.pth")
    again = TimmBackbone("test_vit", str(tmp_path / "run.pth"), sie={"cameras": 3})
    assert torch.equal(again.net.pos_drop.embedding, sided.net.pos_drop.embedding)
    assert again.parameter_layers()["net.pos_drop.embedding"] == 0
    with pytest.raises(ConfigError, match="test_resnet is not a ViT with a class token; leave sie out"):
        TimmBackbone("test_resnet", sie={"cameras": 3})


def test_training_and_testing_tell_the_cameras(write_config, monkeypatch):
    pytest.importorskip("timm")
    node = {"type": "TimmBackbone", "name": "test_vit", "sie": {"cameras": 3}, "options": {"depth": 1, "patch_size": 8}}
    cfg = load_config(write_config(BACKBONE=node, SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 1}))
    seen = []
    forward = SideInformation._embeddings

    def noted(self, count):
        found = forward(self, count)
        rows = [(self.embedding == row).all(1).nonzero().flatten().tolist() for row in found.detach()]
        seen.append((self.training, [row[0] if row else -1 for row in rows]))
        return found

    monkeypatch.setattr(SideInformation, "_embeddings", noted)
    tested = []
    rank = evaluate.embed_sides

    def embed_sides(cfg, model, dataset, device):
        tested.extend(record.camid for record in [*dataset.query, *dataset.gallery])
        return rank(cfg, model, dataset, device)

    monkeypatch.setattr(evaluate, "embed_sides", embed_sides)
    Pipeline(cfg).train()
    trained = [row for training, rows in seen if training for row in rows]
    assert set(trained) == {0, 1, 2}
    assert [row for training, rows in seen if not training for row in rows][-len(tested) :] == tested
    assert len(np.unique(tested)) == 3


SIDED = {"type": "TimmBackbone", "name": "test_vit", "sie": {"cameras": 6}, "options": {"depth": 1, "patch_size": 8}}


@pytest.mark.parametrize(
    "train, shift", [("DukeMTMC", 0), (["Market1501", "DukeMTMC"], 3), ("Market1501", None), ("HELD", 0)]
)
def test_a_test_set_s_cameras_are_those_that_were_trained_with(write_config, train, shift):
    held = {"type": "HoldOutIdentities", "dataset": "DukeMTMC", "held_out": 2, "part": "train"}
    cfg = load_config(write_config(DATASETS={"TRAIN": {"train": held if train == "HELD" else train}}))
    dataset = build_dataset("DukeMTMC", root=cfg.DATASETS.ROOT)
    cameras, views = side_information_of(cfg, SideInformation(nn.Identity(), 5, cameras=6), dataset, dataset.query)
    own = np.array([record.camid for record in dataset.query])
    assert own.max() > 0 and cameras.tolist() == ((own + shift).tolist() if shift is not None else [-1] * len(own))
    assert len(views) == len(own)
    assert side_information_of(cfg, nn.Identity(), dataset, dataset.query) == []


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"BACKBONE": {**SIDED, "sie": {"cameras": 2}}},
            "sie: cameras is 2, and the training images are of 3; set it to 3",
        ),
        ({"SOLVER": {"CHUNK": 8}}, "sie: the cameras are those of a whole batch; set SOLVER.CHUNK 0"),
    ],
)
def test_cameras_that_cannot_be_told_are_found_before_the_first_step(write_config, changes, message):
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match=message):
        Pipeline(load_config(write_config(**{"BACKBONE": SIDED, **changes}))).train()


def test_several_training_sets_have_no_common_cameras(write_config):
    cfg = load_config(write_config(DATASETS={"TRAIN": {"source": "Market1501", "target": "DukeMTMC"}}))
    with pytest.raises(ConfigError, match="source, target number their cameras from 0 each"):
        check_cameras(cfg, SideInformation(nn.Identity(), 5, cameras=6), build_train_sets(cfg))
    check_cameras(cfg, SideInformation(nn.Identity(), 5, views=6), build_train_sets(cfg))
