from __future__ import annotations

import pytest
import torch
from arn import DifferenceLoss

from reidzoo.errors import ConfigError


def plain(features, form):
    """Eq. 4 by the D x D product, element by element."""
    total = 0.0
    for shared, private in (features[:2], features[2:]):
        if form == "code":
            total += sum(a * b for a, b in zip(shared.flatten().tolist(), private.flatten().tolist()))
            continue
        if form == "dsn_code":
            shared, private = (rows - rows.sum(0) / len(rows) for rows in (shared, private))
        if form != "eq4":
            shared, private = (rows / rows.square().sum(1, keepdim=True).sqrt() for rows in (shared, private))
        dim = shared.shape[1]
        product = [[sum(shared[:, i] * private[:, j]).item() for j in range(dim)] for i in range(dim)]
        squares = sum(value**2 for row in product for value in row)
        total += squares if form == "eq4" else squares / dim**2
    return total


@pytest.mark.parametrize("form", ["dsn", "dsn_code", "eq4", "code"])
def test_equals_the_formula(form):
    features = [torch.randn(5, 3, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    loss = DifferenceLoss(form)
    assert loss(*features).item() == pytest.approx(plain(features, form), rel=1e-10)
    assert torch.autograd.gradcheck(loss, features)


def test_nothing_where_no_coordinates_go_together_over_the_batch():
    shared, private = torch.randn(1, 6).repeat(4, 1), torch.randn(1, 6).repeat(4, 1)
    private[2:] *= -1  # the shared feature does not tell which
    for form in ("dsn", "eq4"):
        assert DifferenceLoss(form)(shared, private, shared, private).item() == pytest.approx(0, abs=1e-4)
        assert DifferenceLoss(form)(shared, shared, private, private).item() > 0.1


def test_within_its_bounds():
    same = torch.ones(16, 8)
    assert DifferenceLoss()(same, same, same, -same).item() == pytest.approx(2 * 16**2 / 8**2)


def test_gamma_suits_the_mean_and_neither_literal_scale():
    """Features of 2048, as the paper has them, around the size of their batch-normalised inputs."""
    features = [torch.randn(16, 2048) for _ in range(4)]
    assert 1e-3 < 1500 * DifferenceLoss("dsn")(*features) < 1
    assert 1500 * DifferenceLoss("eq4")(*features) > 1e9


def test_equation_4_to_the_letter_is_lowered_by_smaller_features():
    features = [torch.randn(6, 5) for _ in range(4)]
    halves = [rows / 2 for rows in features]
    literal, default = DifferenceLoss("eq4"), DifferenceLoss()
    assert literal(*halves).item() == pytest.approx(literal(*features).item() / 16, rel=1e-4)
    assert default(*halves).item() == pytest.approx(default(*features).item(), rel=1e-4)


def test_the_codes_form_rewards_opposite_features_and_sees_no_other_coordinate():
    shared = torch.randn(6, 5)
    code, default = DifferenceLoss("code"), DifferenceLoss()
    assert code(shared, -10 * shared, shared, -10 * shared).item() < -100  # as opposite as can be, and not orthogonal
    same = default(shared, shared, shared, shared)
    torch.testing.assert_close(default(shared, -10 * shared, shared, -10 * shared), same)  # to float32's rounding
    assert same > 0
    first, second = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, -1.0]])
    # The second feature can be told from the first, by another coordinate: the code does not see it.
    assert code(first, second, first, second).item() == 0 < default(first, second, first, second).item()


def test_a_feature_of_zeros_has_no_direction_and_no_gradient():
    rows = [torch.randn(3, 4, dtype=torch.float64) for _ in range(4)]
    rows[0][1] = 0
    rows = [each.requires_grad_() for each in rows]
    DifferenceLoss()(*rows).backward()
    assert not rows[0].grad[1].any() and all(0 < each.grad.abs().max() < 10 for each in rows)


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="DifferenceLoss: form must be"):
        DifferenceLoss("literal")
