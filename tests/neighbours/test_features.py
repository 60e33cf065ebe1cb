from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.clustering import ClusteringError
from reidzoo.errors import UserError
from reidzoo.neighbours.features import finite, normalised


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int64"])
def test_rows_have_norm_one_whatever_the_type(kind):
    x = (np.random.default_rng(0).standard_normal((600, 7)) * 9 + 1).astype(kind)
    expected = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    for features in (x, torch.from_numpy(x)):
        result = normalised(features)
        assert result.dtype == torch.float32
        np.testing.assert_allclose(result.numpy(), expected, atol=1e-7)


def test_the_input_is_left_alone_and_needs_no_gradient():
    x = torch.full((3, 2), 2.0, requires_grad=True)
    assert not normalised(x).requires_grad
    assert (x == 2).all()


def test_very_large_and_very_small_rows_keep_their_direction():
    x = np.array([[3e38, 3e38], [1e-42, 0.0], [-1e-30, 1e-30]], dtype=np.float32)
    root = 0.5**0.5
    np.testing.assert_allclose(normalised(x).numpy(), [[root, root], [1, 0], [-root, root]], atol=1e-7)
    np.testing.assert_allclose(normalised(np.array([[1e200, 1e200]])).numpy(), [[root, root]], atol=1e-7)


def test_equal_rows_are_equal_bit_by_bit_and_rows_may_come_backwards():
    one, other = normalised(torch.tensor([[0.0, 2.0], [-0.0, 2.0]])).view(torch.int32)
    assert torch.equal(one, other)
    x = np.random.default_rng(0).standard_normal((5, 3))
    assert torch.equal(normalised(x[::-1]), normalised(x).flip(0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2e15])
def test_numbers_without_a_square_are_named_with_their_row(value):
    x = np.ones((700, 4), dtype=np.float32)
    assert torch.equal(finite(x, "rows"), torch.from_numpy(x))
    x[513, 2] = value
    with pytest.raises(ClusteringError, match=r"rows: row 513 of 700 holds NaN, infinity, or a number beyond 1e\+15"):
        finite(x, "rows")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_named_with_their_row(value):
    x = np.ones((700, 4), dtype=np.float32)
    x[513, 2] = value
    with pytest.raises(ValueError, match="row 513 of 700 holds a NaN or infinite value"):
        normalised(x)


def test_a_row_of_zeros_has_no_direction():
    x = np.ones((5, 4), dtype=np.float32)
    x[3] = 0
    with pytest.raises(ValueError, match="row 3 of 5 holds only zeros"):
        normalised(x)


@pytest.mark.parametrize("x", [np.ones(5), np.ones((0, 4)), np.ones((4, 0)), np.ones((2, 3, 4)), np.ones((2, 2)) > 0])
def test_other_than_a_matrix_of_numbers_is_an_error(x):
    with pytest.raises(ClusteringError, match="features: expected"):
        normalised(x)


def test_the_error_is_the_users_and_a_value_error():
    assert issubclass(ClusteringError, UserError)
    assert issubclass(ClusteringError, ValueError)
