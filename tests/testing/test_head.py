"""check_head: our own heads pass, and each broken clause is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.heads import BNNeck
from reidzoo.registry import HEAD
from reidzoo.testing import ContractError, check_head

from .own_parts import own_parts

NODES = [
    {"type": "BNNeck"},
    {"type": "LinearHead"},
    {"type": "LinearHead", "embedding_dim": 6, "dropout": 0.5, "pooling": "gem"},
    {"type": "BNNeck", "embedding_dim": 6, "pooling": "gem+max", "classifier": "cosine"},
    {"type": "MLPHead", "width": 8},
    {"type": "MLPHead", "width": 8, "classifier": "cosine"},
    {"type": "DualBranchHead", "width": 8},
    {"type": "DualBranchHead", "width": 8, "reduction": "linear", "classifier": "cosine"},
    {"type": "JigsawHead", "parts": 2},
    {"type": "JigsawHead", "parts": 3, "embedding": "after", "classifier": "cosine"},
    {"type": "PCBHead", "parts": 3, "width": 5},
    {"type": "PCBHead", "parts": 2, "width": 5, "embedding": "pooled", "shared": False, "classifier": "cosine"},
    {"type": "RPPHead", "parts": 3, "width": 5},
    {"type": "MGNHead", "width": 4, "granularities": [1, 2]},
    {"type": "MGNHead", "width": 4, "one_map": True, "classifier": "cosine"},
]


def test_every_head_is_checked():
    assert {node["type"] for node in NODES} == own_parts(HEAD)


@pytest.mark.parametrize("node", NODES, ids=lambda node: "-".join(map(str, node.values())))
def test_our_own(node):
    check_head(node)


class Theirs(nn.Module):
    """A third party's head; subclasses have one defect each."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.embedding_dim = 5
        self.layer, self.norm = nn.Linear(in_channels, 5), nn.BatchNorm1d(5)
        self.reset_classifier(num_classes)

    def forward(self, maps):
        feat = self.layer(maps.mean((2, 3)))
        outputs = {"feat": feat, "embedding": self.norm(feat)}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(outputs["embedding"])
        return outputs

    def reset_classifier(self, num_classes, centroids=None):
        self.classifier = nn.Linear(5, num_classes) if num_classes else None


def test_a_third_partys():
    check_head(Theirs)
    check_head(Theirs(6, 4), in_channels=6, num_classes=4)


class NoDim(Theirs):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)
        del self.embedding_dim


class WrongDim(Theirs):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)
        self.embedding_dim = 7


class NoEmbedding(Theirs):
    def forward(self, maps):
        return {"feat": super().forward(maps)["feat"]}


class NoLogits(Theirs):
    def forward(self, maps):
        return {key: value for key, value in super().forward(maps).items() if key != "logits"}


class OtherName(Theirs):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)
        self.identities = nn.Linear(5, max(num_classes, 1))


class AlwaysClassifies(Theirs):
    def reset_classifier(self, num_classes, centroids=None):
        self.classifier = nn.Linear(5, num_classes or 1)


class EmbedsWithTheClassifier(Theirs):
    def forward(self, maps):
        outputs = super().forward(maps)
        if self.classifier is not None:
            outputs["embedding"] = outputs["embedding"] + self.classifier.weight.sum()
        return outputs


class NoReset(Theirs):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)
        self.reset_classifier = None


class KeepsParameters(BNNeck):
    def reset_classifier(self, num_classes, centroids=None):
        if num_classes != self.num_classes:
            super().reset_classifier(num_classes, centroids)


class NoClasses(Theirs):
    def __init__(self, in_channels):
        super().__init__(in_channels, 0)


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (NoDim, "embedding_dim is the dimension of its embedding; it is None"),
        (WrongDim, r"embedding is \(B, embedding_dim\); of 4 images \(4, 5\), not 7"),
        (NoEmbedding, "a dict with feat and embedding; there is no embedding"),
        (NoLogits, "while training, logits are .* they are missing"),
        (OtherName, "all weights that depend on the identities are in classifier.*identities.bias"),
        (AlwaysClassifies, "classifier is None for num_classes=0"),
        (EmbedsWithTheClassifier, "which the embedding does not need; without it, the embedding differs"),
        (NoReset, "reset_classifier.* gives it a classifier of other identities; TypeError"),
        (KeepsParameters, "reset_classifier always makes new parameters; 1 of them stayed"),
        (NoClasses, r"it is built with \(in_channels=8, num_classes=3\); TypeError"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"HEAD: {cls.__name__} breaks its contract: .*{said}"):
        check_head(cls)


def test_centroids_may_be_refused_by_a_value_error_only():
    class Asserts(Theirs):
        def reset_classifier(self, num_classes, centroids=None):
            assert centroids is None or torch.is_tensor(None)
            super().reset_classifier(num_classes)

    with pytest.raises(ContractError, match="AssertionError"):
        check_head(Asserts)
