from __future__ import annotations

import pytest

from reidzoo.config import load_config, stage_configs
from reidzoo.publishing.describe import describe_backbone, describe_data


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"type": "ResNet", "depth": 18, "width": 16, "last_stride": 1, "pretrained": ""}, "ResNet-18, width 16"),
        ({"type": "ResNet", "depth": 50, "ibn": "a", "pretrained": "imagenet"}, "ResNet-50, ibn a"),
        ({"type": "OSNet", "ibn": True, "pretrained": ""}, "OSNet, ibn"),
    ],
)
def test_backbone(write_config, node, words):
    assert describe_backbone(load_config(write_config(BACKBONE=node))) == words


def test_two_backbones(write_config):
    gallery = {"type": "ResNet", "depth": 34, "width": 4, "pretrained": ""}
    cfg = load_config(write_config(MODEL={"type": "TwoViewEmbedder", "gallery_backbone": gallery}))
    assert describe_backbone(cfg) == "ResNet-18, width 4 and ResNet-34, width 4"


def test_data(write_config):
    blind = {"type": "Unlabeled", "dataset": {"type": "MSMT17"}}
    stages = {
        "one": {"DATASETS": {"TRAIN": {"train": "DukeMTMC"}}},
        "two": {"WEIGHTS": {"model": "stage:one"}, "DATASETS": {"TRAIN": {"train": ["Market1501", blind]}}},
        "four": {
            "DATASETS": {"TRAIN": {"train": {"type": "PseudoLabeled", "dataset": blind["dataset"], "labels": "x.csv"}}}
        },
        "three": {"WEIGHTS": {"model": "stage:two"}, "DATASETS": {"TRAIN": {"train": "Market1501"}}},
    }
    stages = stage_configs(load_config(write_config(STAGES=stages)))
    assert describe_data(stages, "one", twins=True) == "DukeMTMC twin"
    assert describe_data(stages, "two", twins=False) == "Market1501 and unlabelled MSMT17, after DukeMTMC"
    assert describe_data(stages, "four", twins=True) == "unlabelled MSMT17 twin"
    assert describe_data(stages, "three", twins=False) == "Market1501, after unlabelled MSMT17 and DukeMTMC"
