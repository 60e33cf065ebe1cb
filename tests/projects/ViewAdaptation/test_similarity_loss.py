"""Eq. 2, 5 and 6 against plain loops, and what their misprints do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from view_adaptation import SimilarityLoss, adaptive_weights

from reidzoo.errors import ConfigError
from reidzoo.registry import LOSS

GAMMA, MARGIN = 2.5, 2.0


@pytest.fixture
def pairs():
    """Logits, squared distances and matches of 5 probe and 6 gallery images; an image without positives is last."""
    generator = torch.Generator().manual_seed(1)
    similarity = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    distance = 0.2 + 3 * torch.rand(5, 6, generator=generator, dtype=torch.float64)
    match = torch.tensor([0, 0, 1, 1, 3])[:, None] == torch.tensor([0, 0, 0, 1, 1, 2])[None]
    return similarity, distance, match


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def equation_2(similarity, distance, match, printed):
    total = 0.0
    for z, d, y in zip(similarity.flatten().tolist(), distance.flatten().tolist(), match.flatten().tolist()):
        contrastive = d**2 if y else max(0.0, MARGIN - d) ** 2
        if printed:
            total += -y * math.log(sigmoid(z)) - GAMMA * contrastive
        else:
            total += -math.log(sigmoid(z) if y else 1 - sigmoid(z)) + GAMMA * contrastive
    return total / similarity.numel()


def equation_5(similarity, distance, match, inside=False, wn_printed=False, log_sum=False, printed=False):
    total = 0.0
    for z, d, y in zip(similarity.tolist(), distance.tolist(), match.tolist()):
        positive, negative = [j for j, same in enumerate(y) if same], [j for j, same in enumerate(y) if not same]
        w_p = [math.exp(d[j]) / sum(math.exp(d[k]) for k in positive) for j in positive]
        sign = 1 if wn_printed else -1
        w_n = [math.exp(-d[j]) / sum(math.exp(sign * d[k]) for k in negative) for j in negative]
        pull = sum(w * d[j] ** 2 for w, j in zip(w_p, positive))
        if inside:
            push = sum(max(0.0, MARGIN - w * d[j]) ** 2 for w, j in zip(w_n, negative))
        else:
            push = sum(w * max(0.0, MARGIN - d[j]) ** 2 for w, j in zip(w_n, negative))
        if printed:
            total += sum(math.log(sigmoid(z[j])) for j in positive) + pull - GAMMA * push
            continue
        logs = -sum(math.log(sigmoid(z[j])) for j in positive) - sum(math.log(1 - sigmoid(z[j])) for j in negative)
        total += logs / (1 if log_sum else len(y)) + GAMMA * (pull + push)
    return total / len(similarity)


@pytest.mark.parametrize("printed", [False, True])
def test_equation_2(pairs, printed):
    loss = SimilarityLoss(adaptive=False, form="printed" if printed else "corrected")
    similarity, distance, match = pairs
    assert loss(similarity, distance**2, match).item() == pytest.approx(equation_2(*pairs, printed), rel=1e-12)


@pytest.mark.parametrize("options", [
    {}, {"wn_inside": True}, {"wn_printed": True}, {"log_sum": True}, {"wn_inside": True, "wn_printed": True},
])  # fmt: skip
def test_equation_5(pairs, options):
    similarity, distance, match = pairs
    plain = {key.replace("wn_inside", "inside"): value for key, value in options.items()}
    found = SimilarityLoss(**options)(similarity, distance**2, match).item()
    assert found == pytest.approx(equation_5(*pairs, **plain), rel=1e-12)


def test_equation_5_as_printed(pairs):
    similarity, distance, match = pairs
    expected = equation_5(*pairs, inside=True, wn_printed=True, printed=True)
    assert SimilarityLoss(form="printed")(similarity, distance**2, match).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", ["corrected", "printed"])
def test_gradients_of_equation_2(pairs, form):
    similarity, distance, match = pairs
    inputs = similarity.requires_grad_(), (distance**2).requires_grad_()
    loss = SimilarityLoss(adaptive=False, form=form)
    assert torch.autograd.gradcheck(lambda z, d: loss(z, d, match), inputs)


@pytest.mark.parametrize("form", ["corrected", "printed"])
def test_gradients_of_equation_5_with_the_weights_held(pairs, form, monkeypatch):
    similarity, distance, match = pairs
    held = adaptive_weights(distance, match, form == "printed")
    monkeypatch.setattr("view_adaptation.similarity_loss.adaptive_weights", lambda *_: held)
    loss = SimilarityLoss(form=form)
    inputs = similarity.requires_grad_(), (distance**2).requires_grad_()
    assert torch.autograd.gradcheck(lambda z, d: loss(z, d, match), inputs)


def test_the_weights_carry_no_gradient(pairs):
    similarity, distance, match = pairs
    squared = (distance**2).requires_grad_()
    SimilarityLoss(gamma=1.0)(similarity, squared, match).backward()
    w_p, _ = adaptive_weights(distance, match)
    torch.testing.assert_close(squared.grad[match], w_p[match] / len(distance))


def test_equation_6_prefers_far_positives_and_near_negatives(pairs):
    _, distance, match = pairs
    w_p, w_n = adaptive_weights(distance, match)
    assert torch.equal(w_p > 0, match) and torch.equal(w_n > 0, ~match)
    torch.testing.assert_close(w_p.sum(1), torch.tensor([1.0, 1, 1, 1, 0], dtype=torch.float64))
    torch.testing.assert_close(w_n.sum(1), torch.ones(5, dtype=torch.float64))
    assert w_p[0].argmax() == distance[0].masked_fill(~match[0], 0).argmax()
    assert w_n[0].argmax() == distance[0].masked_fill(match[0], 9).argmin()
    everything = torch.ones(2, 3, dtype=torch.bool)
    assert adaptive_weights(torch.ones(2, 3), everything)[1].abs().sum() == 0  # no negatives, no weights


# ---- the misprints --------------------------------------------------------------------------------------------------


def minimise(loss, similarity, distance, match, steps=200):
    """Descend from a start that separates nothing; returns logits and distances."""
    similarity, distance = nn.Parameter(similarity.clone()), nn.Parameter(distance.clone())
    optimizer = torch.optim.SGD([similarity, distance], lr=0.2)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(similarity, distance.clamp(min=1e-3, max=50) ** 2, match).backward()
        optimizer.step()
    return similarity.detach(), distance.detach(), match


@pytest.fixture
def start():
    match = torch.eye(2, dtype=torch.bool).repeat_interleave(2, 0).repeat_interleave(2, 1)
    return torch.zeros(4, 4), torch.ones(4, 4), match


def test_printed_equation_2_is_best_served_by_a_constant_similarity(start):
    similarity, *_, match = minimise(SimilarityLoss(gamma=0.0, adaptive=False, form="printed"), *start)
    assert (similarity >= 0).all() and torch.equal(similarity[~match], torch.zeros(8))  # nothing ever speaks against 1
    always = torch.full((4, 4), 30.0)
    assert SimilarityLoss(gamma=0.0, adaptive=False, form="printed")(always, start[1], match) < 1e-9
    assert SimilarityLoss(gamma=0.0, adaptive=False)(always, start[1], match) > 10
    similarity, *_ = minimise(SimilarityLoss(gamma=0.0, adaptive=False), *start)
    assert torch.equal(similarity > 0, match)


def test_minus_gamma_rewards_distance(start):
    _, distance, match = minimise(SimilarityLoss(adaptive=False, form="printed"), *start)
    assert (distance[match] > 10).all() and (distance[~match] < 0.1).all()  # and the hinge is rewarded as well
    _, distance, _ = minimise(SimilarityLoss(adaptive=False), *start)
    assert (distance[match] < 0.1).all() and (distance[~match] > MARGIN - 0.1).all()


def test_printed_equation_5_wants_positives_told_apart(start):
    similarity, *_, match = minimise(SimilarityLoss(form="printed"), *start)
    assert (similarity[match] < -5).all()
    similarity, distance, match = minimise(SimilarityLoss(), *start)
    assert torch.equal(similarity > 0, match) and (distance[match] < 0.1).all()


def test_printed_equation_5_draws_negatives_together(start):
    _, distance, match = minimise(SimilarityLoss(form="printed"), *start)
    assert (distance[~match] < 0.1).all()  # minus gamma: the hinge is rewarded
    _, distance, _ = minimise(SimilarityLoss(), *start)
    assert (distance[~match] > MARGIN - 0.1).all()


def slope_of_distances(start, match, **options):
    """Return the largest slope of the loss by a squared distance of the pairs in ``match``."""
    similarity, distance, all_matches = start
    squared = (distance**2).requires_grad_()
    loss = SimilarityLoss(**options)(similarity, squared, all_matches)
    return torch.autograd.grad(loss, squared)[0][match].abs().max().item()


def test_gamma_weighs_positives_only_in_the_corrected_equation_5(start):
    match = start[2]
    slopes = {
        (form, gamma): slope_of_distances(start, match, form=form, gamma=gamma)
        for form in ("corrected", "printed")
        for gamma in (1.0, 4.0)
    }
    assert slopes["printed", 4.0] == slopes["printed", 1.0] > 0
    assert slopes["corrected", 4.0] == pytest.approx(4 * slopes["corrected", 1.0])


def test_the_sum_of_logarithms_drowns_gamma():
    """Eq. 5 over the 64 gallery images of a batch: what D_s learns grows with their number, the distances' part not."""
    match = torch.eye(8, dtype=torch.bool).repeat_interleave(8, 0).repeat_interleave(8, 1)
    ratios = {}
    for log_sum in (False, True):
        similarity = torch.zeros(64, 64, requires_grad=True)
        squared = torch.ones(64, 64, requires_grad=True)
        loss = SimilarityLoss(log_sum=log_sum)(similarity, squared, match)
        logits, distances = torch.autograd.grad(loss, (similarity, squared))
        ratios[log_sum] = (distances.abs().sum() / logits.abs().sum()).item()
    assert ratios[False] == pytest.approx(64 * ratios[True]) and ratios[True] < 0.2 < 5 < ratios[False]


def test_a_weight_within_the_hinge_saturates_it():
    match = torch.zeros(1, 60, dtype=torch.bool)
    costs, slopes = {}, {}
    for inside in (False, True):
        loss = SimilarityLoss(gamma=1.0, wn_inside=inside)
        for name, d in (("near", 0.1), ("far", 10.0)):
            squared = torch.full((1, 60), d**2, requires_grad=True)
            value = loss(torch.full((1, 60), -30.0), squared, match)
            costs[inside, name] = value.item()
            slopes[inside, name] = torch.autograd.grad(value, squared)[0].abs().sum().item() * 2 * d  # by d itself
    # 60 negatives far beyond the margin still cost as much as near ones, m^2 each, and are pushed on.
    assert costs[True, "near"] == pytest.approx(60 * MARGIN**2, rel=0.01)
    assert costs[True, "far"] == pytest.approx(60 * MARGIN**2, rel=0.2) and slopes[True, "far"] > 3
    assert costs[False, "near"] == pytest.approx(1.9**2, rel=1e-4) and costs[False, "far"] == slopes[False, "far"] == 0


def test_equation_6s_denominator_makes_the_weights_vanish():
    distance = torch.tensor([[0.5, 4.0, 5.0, 6.0]])
    match = torch.zeros(1, 4, dtype=torch.bool)
    printed, corrected = (adaptive_weights(distance, match, flag)[1] for flag in (True, False))
    assert printed.sum() < 0.002 and corrected.sum() == pytest.approx(1.0)
    far = adaptive_weights(distance + 5, match, True)[1]
    assert far.sum() < printed.sum() * math.exp(-9.9)  # exp(-d) / exp(d): less the farther all are
    torch.testing.assert_close(adaptive_weights(distance + 5, match)[1], corrected)


def test_wrong_arguments():
    for arguments in ({"form": "literal"}, {"margin": 0.0}, {"gamma": -1.0}):
        with pytest.raises(ConfigError, match="SimilarityLoss: "):
            LOSS.build({"type": "SimilarityLoss", **arguments})


def test_uniform_weights_balance_positives_and_negatives_alone(pairs):
    similarity, distance, match = pairs
    total = 0.0
    for z, d, y in zip(similarity.tolist(), distance.tolist(), match.tolist()):
        for same in (True, False):
            chosen = [j for j, is_same in enumerate(y) if is_same is same]
            costs = [d[j] ** 2 if same else max(0.0, MARGIN - d[j]) ** 2 for j in chosen]
            total += GAMMA * sum(costs) / max(len(costs), 1)
        total += sum(-math.log(sigmoid(a) if same else 1 - sigmoid(a)) for a, same in zip(z, y)) / len(y)
    loss = SimilarityLoss(GAMMA, MARGIN, uniform=True)
    assert loss(similarity, distance.square(), match).item() == pytest.approx(total / len(similarity))


def test_uniform_weights_are_of_equation_5():
    with pytest.raises(ConfigError, match="uniform are weights of Eq"):
        SimilarityLoss(adaptive=False, uniform=True)
