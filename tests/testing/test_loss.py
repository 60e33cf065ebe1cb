"""check_loss: our own losses pass, and each broken clause is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from reidzoo.losses.labels import check_labels
from reidzoo.registry import LOSS
from reidzoo.testing import ContractError, check_loss
from reidzoo.testing.values import noise

from .own_parts import own_parts

DOMAINS = {"domain_logits": noise(8, 2)}
NUISANCES = {
    "nuisance_logits": noise(8, 3),
    "nuisance_label": torch.arange(8) % 3,
    "nuisance_prior": torch.tensor([0.5, 0.3, 0.2]).expand(8, 3),
}
SOFT = {"scores": noise(8, 5), "columns": torch.arange(16).reshape(8, 2) % 5, "weights": noise(8, 2).abs()}
PAIRS = ("ContrastiveLoss", "TripletLoss", "CircleLoss", "WeightedRegularizedTripletLoss")
MARGINS = ("ArcFaceLoss", "CosFaceLoss", "CircleSoftmaxLoss")
CASES = [
    ({"type": "CrossEntropyLoss", "smoothing": 0.1}, {}),
    ({"type": "TripletLoss"}, {}),
    ({"type": "TripletLoss", "margin": 0.3}, {}),
    ({"type": "CenterLoss", "num_classes": 8, "dim": 16}, {}),
    ({"type": "LearntCenterLoss", "num_classes": 8, "dim": 16}, {}),
    ({"type": "ContrastiveLoss"}, {}),
    ({"type": "CircleLoss"}, {}),
    ({"type": "WeightedRegularizedTripletLoss"}, {}),
    ({"type": "InstanceLoss"}, {}),
    *(({"type": "CrossBatchMemoryLoss", "loss": {"type": kind}, "dim": 16, "size": 20}, {}) for kind in PAIRS),
    *(({"type": kind, "smoothing": 0.1}, {"logits": noise(8, 8).tanh()}) for kind in MARGINS),
    ({"type": "SoftCrossEntropyLoss"}, {"teacher_logits": noise(8, 8, seed=1)}),
    ({"type": "SoftTripletLoss"}, {"teacher_feat": noise(8, 16, seed=1)}),
    ({"type": "MMDLoss"}, {"source_feat": noise(8, 16), "target_feat": noise(8, 16)}),
    ({"type": "DomainBalanceLoss"}, DOMAINS),
    ({"type": "SymmetricKLLoss"}, DOMAINS),
    ({"type": "InvarianceLoss"}, SOFT),
    ({"type": "NegativeEntropyLoss"}, NUISANCES),
    ({"type": "NegatedCrossEntropyLoss"}, NUISANCES),
    *(({"type": "CalibratedNegativeEntropyLoss", "form": form}, NUISANCES) for form in ("cane_sample", "cane_eq6")),
]


def test_every_loss_is_checked():
    assert {node["type"] for node, _ in CASES} == own_parts(LOSS)


@pytest.mark.parametrize(("node", "tensors"), CASES, ids=lambda case: "-".join(map(str, case.values()))[:60])
def test_our_own(node, tensors):
    check_loss(node, **tensors)


def test_a_loss_of_torch_by_its_inputs():
    node = {"type": "torch.nn.CrossEntropyLoss", "inputs": {"input": "logits", "target": "pid"}, "weight": 0.5}
    check_loss(node, gradient=["input"])


class Theirs(nn.Module):
    """A third party's loss: the distance to the mean of one's identity; subclasses have one defect each."""

    def forward(self, feat, pid):
        check_labels(pid)
        return self.of(feat, pid)

    def of(self, feat, pid):
        same = (pid[:, None] == pid[None]).float()
        return (feat - same @ feat / same.sum(1, keepdim=True)).square().sum(1).mean()


def test_a_third_partys():
    check_loss(Theirs, gradient=["feat"])
    check_loss(Theirs())


class LeavesThemOut(Theirs):
    def forward(self, feat, pid):
        return self.of(feat[pid >= 0], pid[pid >= 0])


class EachAPerson(Theirs):
    def forward(self, feat, pid):
        return self.of(feat, torch.where(pid < 0, 100 + torch.arange(len(pid)), pid))


@pytest.mark.parametrize("cls", [LeavesThemOut, EachAPerson])
def test_what_may_become_of_images_of_nobody(cls):
    check_loss(cls)


class OnePerson(Theirs):
    def forward(self, feat, pid):
        return self.of(feat, pid)


class PerImage(Theirs):
    def of(self, feat, pid):
        return feat.square().sum(1)


class Number(Theirs):
    def of(self, feat, pid):
        return super().of(feat, pid).item()


class Detached(Theirs):
    def of(self, feat, pid):
        return super().of(feat, pid).detach()


class NaNForOneIdentity(Theirs):
    def of(self, feat, pid):
        others = feat[pid != pid[0]]
        return super().of(feat, pid) - others.sum() / len(others)


class EndlessGradient(Theirs):
    def of(self, feat, pid):
        return super().of(feat, pid).sqrt()


class WritesIntoItsInput(Theirs):
    def of(self, feat, pid):
        with torch.no_grad():
            feat.copy_(functional.normalize(feat))
        return super().of(feat, pid)


class HiddenState(Theirs):
    def __init__(self):
        super().__init__()
        self.mean = torch.zeros(16)

    def of(self, feat, pid):
        self.mean = 0.5 * self.mean + 0.5 * feat.detach().mean(0)
        return (feat - self.mean).square().mean()


class Double(Theirs):
    def of(self, feat, pid):
        return super().of(feat, pid).double()


class OtherTensors(Theirs):
    def forward(self, features, labels):
        return super().forward(features, labels)


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (OnePerson, "an image of identity -1 is nobody's"),
        (PerImage, r"it returns a scalar tensor; it returned a tensor \(8,\)"),
        (Number, "it returns a scalar tensor; it returned a float"),
        (Detached, "it has a gradient for a batch; RuntimeError"),
        (NaNForOneIdentity, "it is finite for a batch of one identity; it is nan"),
        (EndlessGradient, "its gradient is finite for a batch of one image of each identity; that of feat is not"),
        (WritesIntoItsInput, "it leaves its inputs as they are; feat was written into"),
        (HiddenState, "what it keeps between calls is in buffers"),
        (Double, "of float32 inputs it returns float32; it returned torch.float64"),
        (OtherTensors, "nothing is called features, labels"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"LOSS: {cls.__name__} breaks its contract: .*{said}"):
        check_loss(cls)


def test_a_gradient_that_has_to_reach_an_input():
    with pytest.raises(ContractError, match="a gradient reaches embedding; it reaches"):
        check_loss({"type": "CrossEntropyLoss"}, gradient=["embedding"])
