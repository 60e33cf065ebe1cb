"""check_clusterer: our own clusterers pass, and each broken clause is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.registry import CLUSTERER
from reidzoo.testing import ContractError, check_clusterer

from .own_parts import own_parts

NODES = [
    {"type": "KMeans", "num_clusters": 5},
    {"type": "JaccardDBSCAN", "k1": 8, "k2": 3, "min_samples": 2},
    {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "min_samples": 2},
]


def test_every_clusterer_is_checked():
    assert {node["type"] for node in NODES} == own_parts(CLUSTERER)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["type"])
def test_our_own(node):
    check_clusterer(node)


class Theirs:
    """A third party's clusterer: whoever is near an earlier image joins it; subclasses have one defect each."""

    def fit_predict(self, features):
        near = (features @ features.t()).numpy() > 0.8
        first = near.argmax(1)
        return self.labels(np.unique(first, return_inverse=True)[1].astype(np.int64))

    def labels(self, labels):
        return np.where(np.bincount(labels)[labels] > 1, labels, -1)


def test_a_third_partys():
    check_clusterer(Theirs)
    check_clusterer(Theirs())


class Remembers(Theirs):
    """It keeps what it found first, and says so in its state."""

    def __init__(self):
        self.least = 0

    def labels(self, labels):
        self.least = self.least or int(np.bincount(labels).max()) // 2
        return np.where(np.bincount(labels)[labels] > self.least, labels, -1)

    def state_dict(self):
        return {"least": self.least}

    def load_state_dict(self, state):
        self.least = state["least"]


def test_a_third_partys_with_a_state():
    check_clusterer(Remembers)


class AsTensor(Theirs):
    def labels(self, labels):
        return torch.from_numpy(labels)


class Narrow(Theirs):
    def labels(self, labels):
        return labels.astype(np.int32)


class OtherOutliers(Theirs):
    def labels(self, labels):
        return np.where(super().labels(labels) < 0, -2, labels)


class LastFirst(Theirs):
    def labels(self, labels):
        return labels.max() - labels


class WritesIntoFeatures(Theirs):
    def fit_predict(self, features):
        features -= features.mean(0)
        return super().fit_predict(features)


class GlobalNumbers(Theirs):
    def labels(self, labels):
        np.random.rand()
        return labels


class OfTheObject(Theirs):
    def __init__(self):
        self.own = int(torch.randint(20, ()))

    def labels(self, labels):
        return np.where(np.arange(len(labels)) < 4 + self.own, labels, -1)


class KeepsItsState(Remembers):
    state_dict = None

    def __getattribute__(self, name):
        if name.endswith("state_dict"):
            raise AttributeError(name)
        return super().__getattribute__(name)

    def labels(self, labels):
        self.least += 1
        return np.full_like(labels, 0 if self.least == 1 else -1)


class HalfAState(Remembers):
    def __getattribute__(self, name):
        if name == "load_state_dict":
            raise AttributeError(name)
        return super().__getattribute__(name)


class CodeInItsState(Remembers):
    def state_dict(self):
        return {"least": self.labels}


class ForgetsOnLoading(Remembers):
    def load_state_dict(self, state):
        pass


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (AsTensor, r"fit_predict returns a numpy array, int64 \(N,\); it returned a Tensor"),
        (Narrow, r"it returned a ndarray int32 \(36,\)"),
        (OtherOutliers, "outliers are -1; there is -2"),
        (LastFirst, "clusters are numbered by their first member; they begin"),
        (WritesIntoFeatures, "it leaves the features as they are"),
        (GlobalNumbers, "it draws from no global generator; .* numpy"),
        (OfTheObject, "labels follow from the features alone"),
        (KeepsItsState, "what it remembers is in state_dict"),
        (HalfAState, "it has state_dict and load_state_dict, both or neither"),
        (CodeInItsState, "its state is plain values and tensors"),
        (ForgetsOnLoading, "load_state_dict takes up what state_dict gave; least is 4 and 0"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"CLUSTERER: {cls.__name__} breaks its contract: .*{said}"):
        check_clusterer(cls)
