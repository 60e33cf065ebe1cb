from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from torch import nn

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_model
from reidzoo.errors import UserError, WeightsError
from reidzoo.publishing.portable_config import embedding_state, needed_plugins, portable_config, relative_plugins

REPOSITORY = Path(__file__).parents[2]


def test_the_configuration_names_no_weights_and_no_folder_of_this_machine(write_config, tmp_path):
    backbone = {"type": "ResNet", "depth": 18, "width": 4, "pretrained": "stage:one"}
    data = {"TRAIN": {"train": ["Market1501", {"type": "Unlabeled", "dataset": {"type": "MSMT17"}}]}}
    cfg = load_config(write_config(BACKBONE=backbone, MODEL={"WEIGHTS": "a.pth"}, DATASETS=data))
    config = portable_config(cfg, build_model(cfg, num_classes=0, initialise=False), tmp_path)
    assert config["BACKBONE"]["pretrained"] == "" == config["MODEL"]["WEIGHTS"]
    assert config["BACKBONE"]["depth"] == 18 and config["TEST"]["METRIC"] == "cosine"
    assert config["DATASETS"]["TRAIN"] == {"train": ["Market1501", "MSMT17"]}
    assert set(config["INPUT"]) == set(cfg.INPUT) - {"TEST_INTERPOLATION"}  # it is the INTERPOLATION there


def test_what_augmentation_and_tests_make_of_the_images_is_what_the_model_is_fed(write_config, tmp_path):
    transforms = {"crop": {"type": "RandomCrop", "size": [28, 14]}, "flip": {"type": "RandomHorizontalFlip"}}
    given = {"TRANSFORMS": transforms, "INTERPOLATION": "bicubic", "TEST_INTERPOLATION": "bilinear"}
    cfg = load_config(write_config(INPUT=given, SOLVER={"PRECISION": "bf16"}))
    config = portable_config(cfg, build_model(cfg, num_classes=0, initialise=False), tmp_path)
    assert config["INPUT"]["SIZE"] == [28, 14] and config["INPUT"]["INTERPOLATION"] == "bilinear"
    assert config["INPUT"]["TRANSFORMS"] == {"normalize": {"type": "Normalize"}}
    assert config["SOLVER"] == {"PRECISION": "bf16"}


def test_files_of_other_stages_are_not_for_others(write_config, tmp_path):
    cfg = load_config(write_config(HEAD={"centres": "stage:one/centres.pth"}))
    with pytest.raises(UserError, match="the model is built from files of the stages one"):
        portable_config(cfg, Net(), tmp_path)


PART = "from torch import nn\n\n\nclass Part(nn.Linear):\n    pass\n"


def test_plugins_are_needed_if_a_class_of_the_model_is_theirs(tmp_path, monkeypatch):
    names = ["needed_a_package", "needed_b_package", "needed_c_file", "needed_d_file"]
    for name in names:
        file = tmp_path / (f"{name}/__init__.py" if "package" in name else f"{name}.py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(PART)
    monkeypatch.syspath_prepend(str(tmp_path))
    paths = [str(tmp_path / name) for name in names]
    for name, path in zip(names, paths):
        module = nn.Sequential(importlib.import_module(name).Part(1, 1))
        assert needed_plugins(paths, module) == [path] and needed_plugins(names, module) == [name]
    assert needed_plugins([*paths, *names], nn.Linear(1, 1)) == []


def test_plugins_are_named_from_the_repository(tmp_path):
    inside = str(tmp_path / "projects" / "X" / "x")
    assert relative_plugins([inside, "installed"], tmp_path) == ["projects/X/x", "installed"]
    with pytest.raises(UserError, match="/elsewhere/x"):
        relative_plugins(["/elsewhere/x"], tmp_path)


class Net(nn.Module):
    training_only = ("decoder.*",)

    def __init__(self):
        super().__init__()
        self.backbone, self.decoder = nn.Linear(2, 2), nn.Linear(2, 2)


def test_classifiers_and_what_trains_only_stay_behind():
    saved = {
        **Net().state_dict(),
        "head.classifier.weight": torch.zeros(3, 2),
        "query.head.classifier.bias": torch.ones(3),
    }
    assert list(embedding_state(saved, Net(), "run")) == ["backbone.weight", "backbone.bias"]


def test_other_names_are_an_error():
    saved = Net().state_dict()
    with pytest.raises(WeightsError, match=r"run does not fit.*memory"):
        embedding_state({**saved, "memory": torch.zeros(1)}, Net(), "run")
    del saved["backbone.bias"]
    with pytest.raises(WeightsError, match=r"backbone\.bias"):
        embedding_state(saved, Net(), "run")


def test_embedding_does_not_need_what_arn_leaves_behind():
    opts = ["DEVICE", "cpu", "INPUT.SIZE", "[64, 32]", "BACKBONE.pretrained", ""]
    overlay = REPOSITORY / "projects" / "ARN" / "small.yml"
    cfg = load_config(REPOSITORY / "projects" / "ARN" / "duke_market.yml", opts, [overlay], stage="adapt")
    model = build_model(stage_configs(cfg)["adapt"], num_classes=0, initialise=False).eval()
    images = torch.rand(2, 3, 64, 32)
    before = model.embed(images)
    left = set(model.state_dict()) - set(embedding_state(model.state_dict(), model, "run"))
    assert {name.split(".")[0] for name in left} == {"private", "decoder"}
    for name in left:
        model.state_dict()[name].zero_()
    assert torch.equal(model.embed(images), before)
