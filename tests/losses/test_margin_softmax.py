"""Margin softmax against the formulas, written out class by class in plain numbers."""

from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.heads import BNNeck
from reidzoo.losses import ArcFaceLoss, CircleSoftmaxLoss, CosFaceLoss, CrossEntropyLoss, LossSet
from reidzoo.losses.margin_softmax import MarginSoftmaxLoss

PID = torch.tensor([0, 2, 1, 2, 3])


def arc(cosine, margin):
    angle = math.acos(cosine)
    return math.cos(angle + margin) if angle + margin <= math.pi else cosine - margin * math.sin(margin)


def circle_own(cosine, margin):
    return max(0, 1 + margin - cosine) * (cosine - (1 - margin))


def circle_other(cosine, margin):
    return max(0, cosine + margin) * (cosine - margin)


FORMULAS = {
    ArcFaceLoss: (arc, lambda cosine, margin: cosine),
    CosFaceLoss: (lambda cosine, margin: cosine - margin, lambda cosine, margin: cosine),
    CircleSoftmaxLoss: (circle_own, circle_other),
}


def plain(cls, cosines, pid, margin, scale, smoothing):
    own, other = FORMULAS[cls]
    costs = []
    for row, label in zip(cosines.tolist(), pid.tolist()):
        scores = [scale * (own if k == label else other)(cosine, margin) for k, cosine in enumerate(row)]
        total = math.log(sum(map(math.exp, scores)))
        wanted = [(1 - smoothing) * (k == label) + smoothing / len(row) for k in range(len(row))]
        costs.append(sum(w * (total - score) for w, score in zip(wanted, scores)))
    return sum(costs) / len(costs)


@pytest.fixture
def cosines():
    values = torch.rand(5, 4, dtype=torch.float64) * 1.8 - 0.9
    values[0, 0], values[1, 2] = -0.98, 0.97  # beyond pi with ArcFace's margin; near the class
    return values


@pytest.mark.parametrize("cls", FORMULAS)
@pytest.mark.parametrize(("margin", "scale", "smoothing"), [(0.5, 16.0, 0.0), (0.25, 4.0, 0.1), (0.0, 1.0, 0.0)])
def test_equals_the_formula(cls, margin, scale, smoothing, cosines):
    value = cls(margin, scale, smoothing)(cosines, PID)
    assert value.item() == pytest.approx(plain(cls, cosines, PID, margin, scale, smoothing), rel=1e-10)


@pytest.mark.parametrize("cls", [ArcFaceLoss, CosFaceLoss])
def test_gradient(cls, cosines):
    loss = cls(0.4, 8.0, 0.1)
    assert torch.autograd.gradcheck(lambda values: loss(values, PID), cosines.requires_grad_())


def test_gradient_of_the_circle_with_its_weights_standing_still(cosines):
    """The softmax's gradient for each score, times the score's fixed weight."""
    given, scale, margin = cosines.clone().requires_grad_(), 8.0, 0.25
    CircleSoftmaxLoss(margin, scale)(given, PID).backward()
    right = torch.nn.functional.one_hot(PID, 4).bool()
    scores = torch.tensor(
        [
            [(circle_own if y else circle_other)(c, margin) for c, y in zip(*row)]
            for row in zip(cosines.tolist(), right)
        ],
        dtype=torch.float64,
    )
    weights = torch.where(right, (1 + margin - cosines).relu(), (cosines + margin).relu())
    wanted = ((scale * scores).softmax(1) - right.double()) * scale * weights / len(PID)
    torch.testing.assert_close(given.grad, wanted)


def test_no_margin_is_cross_entropy_with_a_temperature(cosines):
    wanted = CrossEntropyLoss(temperature=1 / 30)(cosines, PID)
    torch.testing.assert_close(CosFaceLoss(0.0, 30.0)(cosines, PID), wanted)
    torch.testing.assert_close(ArcFaceLoss(0.0, 30.0)(cosines, PID), wanted)


@pytest.mark.parametrize("cls", FORMULAS)
def test_the_ends_have_finite_gradients(cls):
    cosines = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0]], requires_grad=True)
    cls()(cosines, torch.tensor([0, 0])).backward()
    assert cosines.grad.isfinite().all()


@pytest.mark.parametrize("cls", FORMULAS)
def test_a_head_gives_it_cosines_and_branches_are_added_up(cls):
    head, pid = BNNeck(6, 4, classifier="cosine"), torch.arange(8) // 2
    value = LossSet({"id": {"type": cls.__name__}})({**head(torch.randn(8, 6, 4, 2)), "pid": pid})["id"]
    value.backward()
    assert head.classifier.weight.grad.any()
    both = torch.rand(8, 2, 4)
    loss = cls()
    torch.testing.assert_close(loss(both, pid), loss(both[:, 0], pid) + loss(both[:, 1], pid))


@pytest.mark.parametrize(("cls", "most", "beyond"), [(ArcFaceLoss, 1.5, 1.51), (CosFaceLoss, 1, 1.01)])
def test_the_range_of_the_margin(cls, most, beyond):
    assert cls(most).margin == most
    for margin in (-0.01, beyond):
        with pytest.raises(ConfigError, match="margin"):
            cls(margin)


def test_mistakes():
    with pytest.raises(ConfigError, match=r"ArcFaceLoss takes cosines.*classifier: cosine"):
        ArcFaceLoss()(torch.tensor([[1.01, 0.0]]), torch.tensor([0]))
    with pytest.raises(ValueError, match="labels must be"):
        CosFaceLoss()(torch.zeros(1, 2), torch.tensor([-1]))
    with pytest.raises(ConfigError, match="scale"):
        CircleSoftmaxLoss(scale=0)
    with pytest.raises(NotImplementedError, match="own"):
        MarginSoftmaxLoss(0.1, 1.0)(torch.zeros(1, 2), torch.tensor([0]))
