from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import CalibratedNegativeEntropyLoss, NegativeEntropyLoss

DUKE = [count / 16522 for count in (2809, 3009, 1088, 1395, 1685, 3700, 1330, 1506)]
"""The cameras' shares of DukeMTMC's training images: .170 .182 .066 .084 .102 .224 .080 .091."""
UNIFORM = [1 / 8] * 8
EQ6 = [0.178, 0.186, 0.056, 0.085, 0.109, 0.212, 0.079, 0.095]
WT = [0.082, 0.079, 0.206, 0.148, 0.121, 0.071, 0.157, 0.136]
FORMS = ("cane_sample", "cane_eq6", "cane_wt")


def plain(form, logits, labels, prior):
    """ADIN Eq. 6 and the two forms of the authors' code, term by term."""
    total, classes = 0.0, len(prior)
    for row, label in zip(logits.reshape(len(logits), -1, classes).tolist(), labels.tolist()):
        for branch in row:
            c = [math.exp(z) / sum(map(math.exp, branch)) for z in branch]
            if form == "cane_sample":
                total += prior[label] * (sum(x * math.log(x) for x in c) + math.log(classes))
            else:
                shift = math.log(classes) if form == "cane_wt" else 0.0
                total += sum(p * x * (math.log(x) + shift) for p, x in zip(prior, c))
    return total / len(logits)


def tensors(shape):
    logits = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(shape[0]) % shape[-1]
    prior = torch.rand(shape[-1], dtype=torch.float64).softmax(0)
    return logits, labels, prior.expand(shape[0], -1)


def minimiser(loss, prior, label=0):
    """Return the c at which the loss of one sample is least, found numerically."""
    prior = torch.tensor([prior], dtype=torch.float64)
    logits = torch.zeros_like(prior, requires_grad=True)
    settings = {"tolerance_grad": 1e-13, "tolerance_change": 1e-18, "line_search_fn": "strong_wolfe"}
    optimizer = torch.optim.LBFGS([logits], max_iter=2000, **settings)

    def closure():
        optimizer.zero_grad()
        value = loss(logits, torch.tensor([label]), prior)
        value.backward()
        return value

    optimizer.step(closure)
    return logits.detach().softmax(1)[0].tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(6, 2), (6, 5), (4, 3, 5)])
def test_equals_the_formula(form, shape):
    logits, labels, prior = tensors(shape)
    loss = CalibratedNegativeEntropyLoss(form)
    wanted = plain(form, logits, labels, prior[0].tolist())
    assert loss(logits, labels, prior).item() == pytest.approx(wanted, rel=1e-12)
    scaled = CalibratedNegativeEntropyLoss(form, per_class=True)
    assert scaled(logits, labels, prior).item() == pytest.approx(wanted / shape[-1], rel=1e-12)
    assert torch.autograd.gradcheck(lambda values: loss(values, labels, prior), logits)


@pytest.mark.parametrize(("form", "wanted"), [("cane_sample", UNIFORM), ("cane_eq6", EQ6), ("cane_wt", WT)])
def test_minimisers_for_dukes_cameras(form, wanted):
    found = minimiser(CalibratedNegativeEntropyLoss(form), DUKE, label=5)
    assert found == pytest.approx(wanted, abs=1e-3)


def test_the_printed_form_leans_to_the_frequent_class_but_to_the_rare_one_of_two():
    loss = CalibratedNegativeEntropyLoss("cane_eq6")
    assert minimiser(loss, [0.8, 0.2]) == pytest.approx([0.413, 0.587], abs=1e-3)
    frequent = minimiser(loss, [0.6, 0.2, 0.2])
    assert frequent[0] > 1 / 3 > frequent[1]
    rare = minimiser(CalibratedNegativeEntropyLoss("cane_wt"), [0.8, 0.2])
    assert rare[1] > 0.5 > rare[0]


@pytest.mark.parametrize(("form", "shift"), [("cane_eq6", 0.0), ("cane_wt", math.log(8))])
def test_minimisers_are_those_of_the_docstring(form, shift):
    """c_k = exp(-1 - shift + lambda / p_k), with lambda found by bisection."""
    low, high = -1.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        total = sum(math.exp(-1 - shift + middle / p) for p in DUKE)
        low, high = (middle, high) if total < 1 else (low, middle)
    wanted = [math.exp(-1 - shift + low / p) for p in DUKE]
    assert minimiser(CalibratedNegativeEntropyLoss(form), DUKE) == pytest.approx(wanted, abs=1e-6)


def test_the_least_value_of_the_samples_form_is_0():
    loss = CalibratedNegativeEntropyLoss()
    logits, labels, prior = tensors((6, 5))
    assert loss(torch.zeros_like(logits), labels, prior).item() == pytest.approx(0, abs=1e-15)
    assert loss(logits, labels, prior) > 0


@pytest.mark.parametrize("weighting", ["freq", "inv_freq"])
def test_normalised_weights(weighting):
    prior = torch.tensor([[0.5, 0.3, 0.2, 0.0]])
    for form in FORMS:
        weights = CalibratedNegativeEntropyLoss(form, weighting, normalise_weights=True).weights(prior)
        mean = (prior * weights).sum() if form == "cane_sample" else weights.mean()
        assert mean.item() == pytest.approx(1) and weights[0, 3] == 0
        assert (weights[0, 0] > weights[0, 2]) == (weighting == "freq")


def test_equally_frequent_classes_make_it_the_negative_entropy():
    logits, labels, _ = tensors((6, 5))
    prior = torch.full((6, 5), 0.2, dtype=torch.float64)
    entropy = NegativeEntropyLoss()(logits)
    for form, shift in (("cane_sample", math.log(5)), ("cane_eq6", 0), ("cane_wt", math.log(5))):
        loss = CalibratedNegativeEntropyLoss(form, normalise_weights=True)
        assert loss(logits, labels, prior).item() == pytest.approx(entropy.item() + shift, rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_certain_classifier_gives_finite_values(form):
    logits = torch.tensor([[1000.0, -1000.0, 0.0]], requires_grad=True)
    value = CalibratedNegativeEntropyLoss(form)(logits, torch.tensor([1]), torch.tensor([[0.5, 0.5, 0.0]]))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("arguments", [{"form": "cane"}, {"weighting": "rare"}])
def test_wrong_arguments(arguments):
    with pytest.raises(ConfigError, match="one of"):
        CalibratedNegativeEntropyLoss(**arguments)


@pytest.mark.parametrize("form", FORMS)
def test_frequencies_of_another_nuisance_are_refused(form):
    with pytest.raises(ConfigError, match="3 logits and 4 frequencies"):
        CalibratedNegativeEntropyLoss(form)(torch.zeros(2, 3), torch.zeros(2).long(), torch.full((2, 4), 0.25))


def test_a_class_without_frequency_draws_the_minimum_of_the_codes_weighted_form():
    minimum = torch.tensor([[0.0919, 0.0919, 0.0919, 0.7243]], dtype=torch.float64)
    prior = torch.tensor([[0.5, 0.3, 0.2, 0.0]], dtype=torch.float64)
    loss = CalibratedNegativeEntropyLoss("cane_wt")
    least = loss(minimum.log(), torch.tensor([0]), prior)
    for other in torch.distributions.Dirichlet(torch.ones(4, dtype=torch.float64)).sample((500,)):
        assert loss(other.log()[None], torch.tensor([0]), prior) > least - 1e-6
