"""A fingerprint tells models apart by what their embeddings follow from, and by nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.config import get_cfg
from reidzoo.inference.fingerprint import fingerprint


class Network(nn.Module):
    """Two layers, of which training alone needs the second."""

    training_only = ("classifier.*",)

    def __init__(self):
        super().__init__()
        self.conv, self.classifier, self.norm = nn.Conv2d(3, 2, 1), nn.Linear(2, 5), nn.BatchNorm2d(2)


def configured(**changes):
    cfg = get_cfg()
    cfg.defrost()
    cfg.BACKBONE["options"] = [{"pretrained": "a.pth", "width": 4}]
    for key, value in changes.items():
        section, _, name = key.partition("__")
        cfg[section][name] = value
    return cfg


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network()


@pytest.mark.parametrize(
    "change",
    [
        {"MODEL__type": "TwoViewEmbedder"}, {"BACKBONE__depth": 18}, {"HEAD__type": "LinearHead"},
        {"BACKBONE__options": [{"pretrained": "a.pth", "width": 8}]}, {"INPUT__SIZE": [64, 64]},
        {"INPUT__INTERPOLATION": "bilinear"}, {"INPUT__MEAN": [0.0, 0.0, 0.0]}, {"INPUT__STD": [1.0, 1.0, 1.0]},
        {"TEST__FLIP": True}, {"SOLVER__PRECISION": "bf16"},
    ],
)  # fmt: skip
def test_another_configuration_of_the_embedding_is_another_model(network, change):
    assert fingerprint(network, configured(**change)) != fingerprint(network, configured())


@pytest.mark.parametrize(
    "change",
    [
        {"MODEL__WEIGHTS": "end.pth"}, {"BACKBONE__options": [{"pretrained": "b.pth", "width": 4}]},
        {"SOLVER__MAX_EPOCHS": 3}, {"TEST__IMS_PER_BATCH": 3},
    ],
)  # fmt: skip
def test_the_origin_of_the_weights_and_the_training_change_nothing(network, change):
    assert fingerprint(network, configured(**change)) == fingerprint(network, configured())


def test_weights_count_by_name_type_and_value_but_for_those_of_training_alone(network):
    cfg = configured()
    before = fingerprint(network, cfg)
    with torch.no_grad():
        network.norm.num_batches_tracked += 1
        network.classifier.weight += 1
    assert fingerprint(network, cfg) == before
    assert fingerprint(Network().double(), cfg) != before
    with torch.no_grad():
        network.conv.weight[0, 0] += 1e-6
    assert fingerprint(network, cfg) != before
    renamed = nn.Module()
    renamed.body, renamed.classifier, renamed.norm = network.conv, network.classifier, network.norm
    renamed.training_only = Network.training_only
    assert fingerprint(renamed, cfg) != fingerprint(network, cfg)
