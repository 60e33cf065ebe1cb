from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import TripletLoss
from reidzoo.losses.triplet import _product_distances, mine_batch_hard


def plain(feat, pid, margin):
    """DomainMix Eq. 3 as it was meant, pair by pair; an identity's only image is its own positive."""
    costs = []
    for i in range(len(feat)):
        distance = [max(math.dist(feat[i], feat[j]), 1e-6) for j in range(len(feat))]
        positives = [distance[j] for j in range(len(feat)) if pid[j] == pid[i]]
        negatives = [distance[j] for j in range(len(feat)) if pid[j] != pid[i]]
        difference = max(positives) - min(negatives)
        costs.append(math.log1p(math.exp(difference)) if margin is None else max(0.0, margin + difference))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("margin", [None, 0.0, 0.3, 5.0])
@pytest.mark.parametrize("pid", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 3], [3, 1, 3, 1, 3, 0], [0, 1, 2, 3, 4, 5]])
def test_equals_the_formula(margin, pid):
    feat = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    loss = TripletLoss(margin)
    assert loss(feat, torch.tensor(pid)).item() == pytest.approx(plain(feat.tolist(), pid, margin), rel=1e-10)
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor(pid)), feat)


@pytest.mark.parametrize("margin", [None, 0.3, 5.0])
def test_positives_and_negatives_among_other_features(margin):
    """The last two anchors have no positive there, and the first three no negative among the first two others."""
    feat, pid = torch.randn(5, 4, dtype=torch.float64, requires_grad=True), torch.tensor([0, 0, 0, 1, 2])
    others, other_pid = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 0, 3, 3, 0, 4])

    def plain_among(others, other_pid):
        costs = []
        for anchor, own in zip(feat.tolist(), pid.tolist()):
            positives = [math.dist(anchor, x) for x, other in zip(others.tolist(), other_pid.tolist()) if other == own]
            negatives = [math.dist(anchor, x) for x, other in zip(others.tolist(), other_pid.tolist()) if other != own]
            if not positives or not negatives:
                costs.append(0.0)
                continue
            difference = max(positives) - min(negatives)
            costs.append(math.log1p(math.exp(difference)) if margin is None else max(0.0, margin + difference))
        return sum(costs) / len(costs)

    loss = TripletLoss(margin)
    for count in (6, 2):
        found = loss(feat, pid, others[:count], other_pid[:count]).item()
        assert found == pytest.approx(plain_among(others[:count], other_pid[:count]), rel=1e-10)
    assert torch.autograd.gradcheck(lambda x: loss(x, pid, others, other_pid), feat)


def test_parts_are_added_up():
    parts, pid, loss = torch.randn(6, 2, 4), torch.arange(6) // 2, TripletLoss(0.3)
    torch.testing.assert_close(loss(parts, pid), loss(parts[:, 0], pid) + loss(parts[:, 1], pid))


def test_one_identity_costs_nothing_and_keeps_the_graph():
    feat = torch.randn(4, 3, requires_grad=True)
    for margin in (None, 0.3):
        loss = TripletLoss(margin)(feat, torch.zeros(4, dtype=torch.int64))
        assert loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, feat)
        assert torch.equal(gradient, torch.zeros_like(feat))


def test_coinciding_features_have_finite_gradients():
    feat = torch.ones(4, 3, requires_grad=True)
    loss = TripletLoss()(feat, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert torch.equal(feat.grad, torch.zeros_like(feat))


def test_close_positives_far_from_the_origin_are_told_apart():
    """The product form loses these distances in float32; an anchor must still not be its own positive."""
    feat = torch.full((4, 8), 1000.0)
    feat[1, 0] += 0.25
    feat[2:, 1] += 50.0
    pid = torch.tensor([0, 0, 1, 2])
    assert TripletLoss(100.0)(feat, pid).item() == pytest.approx(plain(feat.double().tolist(), pid, 100.0), rel=1e-6)


@pytest.mark.parametrize("offset", [1000.0, -1e5])
def test_a_common_offset_changes_no_pair(offset):
    """About the origin nine in ten hardest negatives were wrong at 1000, and all at 1e5."""
    feat, pid = torch.randn(64, 512), torch.arange(64) // 4
    feat = feat + offset
    near = (feat.double() - offset).float()
    for found, wanted in zip(mine_batch_hard(feat, pid), mine_batch_hard(near, pid), strict=True):
        assert torch.equal(found, wanted)
    torch.testing.assert_close(TripletLoss(0.3)(feat, pid), TripletLoss(0.3)(near, pid), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("offset", [0.0, 1.0, 60.0])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1), (1, 0, 2)], ids=["rows", "strided", "parts first"])
def test_features_about_the_origin_are_mined_as_they_stand(offset, axes):
    """Recorded trainings rest on these bits, of parts in any memory layout, too."""
    shape = [(16, 8, 2048)[axis] for axis in axes]
    feat = (torch.randn(shape) + offset).permute(axes)[:, 3]
    norm = feat.square().sum(1)
    assert torch.equal(_product_distances(feat), torch.addmm(norm[:, None] + norm[None, :], feat, feat.t(), alpha=-2))


def test_an_image_is_not_its_own_positive_where_rounding_hides_the_distance_of_the_other():
    near = 60 * torch.randn(32, 8)
    feat, pid = torch.cat([near, near + 1e-4]), torch.arange(64) % 32
    assert torch.equal(mine_batch_hard(feat, pid)[0], (torch.arange(64) + 32) % 64)


def test_nan_is_not_hidden():
    feat = torch.randn(4, 3)
    feat[0, 0] = torch.nan
    assert TripletLoss()(feat, torch.tensor([0, 0, 1, 1])).isnan()


def test_order_of_the_batch_does_not_matter():
    feat, pid, order = torch.randn(12, 5), torch.arange(12) // 3, torch.randperm(12)
    first, second = TripletLoss(0.3)(feat, pid), TripletLoss(0.3)(feat[order], pid[order])
    assert first.item() == pytest.approx(second.item(), rel=1e-5)


def test_wrong_margin():
    with pytest.raises(ConfigError, match="margin"):
        TripletLoss(-0.1)


def test_gradient_has_the_same_bits_with_several_threads():
    """A row that is the hardest of several anchors sums their gradients; resuming needs one order of summation."""
    feat, pid = torch.randn(256, 512, requires_grad=True), torch.arange(256) // 4
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        gradients = [torch.autograd.grad(TripletLoss()(feat, pid), feat)[0] for _ in range(10)]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
