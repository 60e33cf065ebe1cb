from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import ContrastiveLoss
from reidzoo.losses.squared_distances import squared_distances

PIDS = [[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5], [3, 1, 3, 1, 3, 0]]


def plain(feat, pid, margin, reduction, form):
    """Hadsell Eq. 4 and the authors' loop, pair by pair."""
    costs = []
    for i in range(len(feat)):
        for j in range(i + 1, len(feat)):
            distance = math.dist(feat[i], feat[j])
            if form == "code":
                d = distance**2 / len(feat[i])
                costs.append(d if pid[i] == pid[j] else max(0.0, margin - d))
            else:
                costs.append(distance**2 if pid[i] == pid[j] else max(0.0, margin - distance) ** 2)
    return sum(costs) / (len(costs) if reduction == "mean" else 1)


@pytest.mark.parametrize("form", ["hadsell", "code"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("margin", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("pid", PIDS)
def test_equals_the_formula(pid, margin, reduction, form):
    feat = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    loss = ContrastiveLoss(margin, reduction, form)
    expected = plain(feat.tolist(), pid, margin, reduction, form)
    assert loss(feat, torch.tensor(pid)).item() == pytest.approx(expected, rel=1e-9)
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor(pid)), feat)


def literal(first, second, same, margin=2.0):
    """ARN Eq. 2 as printed, its open bracket closed: coordinates' signed differences, without a norm."""
    difference = first - second
    return (difference**2 if same else (margin - difference).clamp(min=0) ** 2).sum()


def test_the_literal_equation_2_is_not_symmetric_and_punishes_distant_negatives():
    near, far = torch.zeros(4), torch.full((4,), 50.0)
    assert literal(near, far, False) > 1000  # two identities, far apart: nothing to correct
    assert literal(near, far, False) != literal(far, near, False) == 0
    loss = ContrastiveLoss(2.0)
    for pair in (torch.stack([near, far]), torch.stack([far, near])):
        assert loss(pair, torch.tensor([0, 1])).item() == 0


def push(form, distance, dimension=4):
    """The gradient's length at a pair of two identities ``distance`` apart."""
    feat = torch.zeros(2, dimension, dtype=torch.float64)
    feat[1, 0] = distance
    feat.requires_grad_()
    (gradient,) = torch.autograd.grad(ContrastiveLoss(2.0, form=form)(feat, torch.tensor([0, 1])), feat)
    return gradient[1].norm().item()


def test_the_codes_push_vanishes_where_identities_coincide():
    assert push("code", 1e-3) < 1e-3 < push("code", 1.0) < push("code", 2.8)  # its hinge is at the root of 2 x 4
    assert push("code", 2.9) == 0
    assert push("hadsell", 1e-3) == pytest.approx(2 * (2 - 1e-3), rel=1e-6)
    assert push("hadsell", 1e-3) > push("hadsell", 1.0) > push("hadsell", 1.99) > push("hadsell", 2.01) == 0


def test_the_codes_scale_goes_with_the_dimension():
    feat = torch.randn(8, 2048)
    pid = torch.zeros(8, dtype=torch.int64)
    ratio = ContrastiveLoss()(feat, pid) / ContrastiveLoss(form="code")(feat, pid)
    assert ratio.item() == pytest.approx(2048, rel=1e-5)


def test_pairs_across_two_sets():
    feat, other = (torch.randn(n, 4, dtype=torch.float64, requires_grad=True) for n in (3, 5))
    pid, other_pid = torch.tensor([0, 1, 2]), torch.tensor([2, 0, 0, 1, 5])
    loss = ContrastiveLoss(3.0)
    costs = [
        (d := math.dist(feat[i].tolist(), other[j].tolist())) ** 2 if pid[i] == other_pid[j] else max(0.0, 3.0 - d) ** 2
        for i in range(3)
        for j in range(5)
        if (d := math.dist(feat[i].tolist(), other[j].tolist())) >= 0
    ]
    assert loss(feat, pid, other, other_pid).item() == pytest.approx(sum(costs) / 15, rel=1e-9)
    assert torch.autograd.gradcheck(lambda a, b: loss(a, pid, b, other_pid), (feat, other))


@pytest.mark.parametrize("form", ["hadsell", "code"])
def test_coinciding_features_have_finite_gradients(form):
    feat = torch.ones(4, 3, requires_grad=True)
    loss = ContrastiveLoss(2.0, form=form)(feat, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == pytest.approx((4 * (4 if form == "hadsell" else 2)) / 6, rel=1e-4)
    assert torch.isfinite(feat.grad).all()


def test_one_image_costs_nothing():
    feat = torch.randn(1, 3, requires_grad=True)
    loss = ContrastiveLoss()(feat, torch.tensor([0]))
    assert loss.item() == 0 and torch.equal(torch.autograd.grad(loss, feat)[0], torch.zeros(1, 3))


def test_small_distances_far_from_the_origin():
    feat = torch.full((2, 8), 1000.0)
    feat[1, 0] += 0.25
    assert squared_distances(feat, feat)[0, 1].item() == pytest.approx(0.0625, rel=1e-5)


def test_nan_is_not_hidden():
    feat = torch.randn(4, 3)
    feat[0, 0] = torch.nan
    assert ContrastiveLoss()(feat, torch.tensor([0, 0, 1, 1])).isnan()


@pytest.mark.parametrize("arguments", [{"margin": 0.0}, {"reduction": "max"}, {"form": "literal"}])
def test_mistakes_are_named(arguments):
    with pytest.raises(ConfigError, match="ContrastiveLoss"):
        ContrastiveLoss(**arguments)


@pytest.mark.parametrize("form, margin", [("hadsell", 2.0), ("code", 1.0)])
def test_the_share_of_pairs_that_are_pushed_is_that_of_pairs_with_a_cost(form, margin):
    feat, pid = (
        torch.randn(7, 4, generator=torch.manual_seed(0), dtype=torch.float64),
        torch.tensor([0, 0, 1, 1, 2, 3, 3]),
    )
    loss = ContrastiveLoss(margin=margin, reduction="sum", form=form)
    costs = [loss(feat[[i, j]], pid[[i, j]]).item() for i in range(7) for j in range(i + 1, 7) if pid[i] != pid[j]]
    share = sum(cost > 0 for cost in costs) / len(costs)
    assert 0 < share < 1 and loss.active(feat, pid).item() == pytest.approx(share)
    assert loss.active(feat[:2], pid[:2]) == 0  # of one identity: a NaN would stop the run


@pytest.mark.parametrize(("form", "margin"), [("hadsell", 5.0), ("code", 12.5)])
def test_a_pair_at_the_margin_is_not_pushed(form, margin):
    """Its cost is 0; (0, 0) and (3, 4) are 5 apart, and 25 / 2 by the code's measure."""
    feat, pid = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([0, 1])
    loss = ContrastiveLoss(margin, form=form)
    assert loss(feat, pid) == 0 and loss.active(feat, pid) == 0
    assert ContrastiveLoss(margin + 0.1, form=form).active(feat, pid) == 1
