"""check_discriminator: our own pass, and each broken clause is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.registry import DISCRIMINATOR
from reidzoo.testing import ContractError, check_discriminator

from .own_parts import own_parts

NODES = [
    {"type": "MLPDiscriminator", "widths": [8]},
    {"type": "NuisanceDiscriminator", "num_classes": 3, "width": 8},
    {"type": "NuisanceDiscriminator", "num_classes": 3, "branches": 3, "reversal": 0.5},
]


def test_every_discriminator_is_checked():
    assert {node["type"] for node in NODES} == own_parts(DISCRIMINATOR)


@pytest.mark.parametrize("node", NODES, ids=lambda node: "-".join(map(str, node.values())))
def test_our_own(node):
    check_discriminator(node)


class Theirs(nn.Module):
    """A third party's discriminator; subclasses have one defect each."""

    def __init__(self, in_channels):
        super().__init__()
        self.layer = nn.Linear(in_channels, 2)

    def forward(self, feat):
        return self.layer(feat)


def test_a_third_partys():
    check_discriminator(Theirs)
    check_discriminator(Theirs(6), in_channels=6)


class OneNumber(Theirs):
    def forward(self, feat):
        return self.layer(feat)[:, 0]


class Several(Theirs):
    def forward(self, feat):
        return {"logits": self.layer(feat), "feat": feat}


class CutsTheGradient(Theirs):
    def forward(self, feat):
        return self.layer(feat.detach())


class Frozen(Theirs):
    def forward(self, feat):
        return feat[:, :2] + 0 * self.layer(feat)


class Unbounded(Theirs):
    def forward(self, feat):
        return self.layer(feat).exp().log().mul(torch.inf)


class OfTheBatch(Theirs):
    def forward(self, feat):
        return self.layer(feat - feat.mean(0))


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (OneNumber, r"it returns logits \(B, classes\).* it returned \(4,\)"),
        (Several, "it returned logits, feat"),
        (CutsTheGradient, "a gradient reaches its input; there is none"),
        (Frozen, "a gradient reaches its parameters; there is none"),
        (Unbounded, "its outputs are finite"),
        (OfTheBatch, "depends on that image alone"),
        (nn.Linear, r"it is built with \(in_channels=12\); TypeError"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"DISCRIMINATOR: {cls.__name__} breaks its contract: .*{said}"):
        check_discriminator(cls)
