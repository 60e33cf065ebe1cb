from __future__ import annotations

import numpy as np
import pytest

from reidzoo.evaluation import EvaluationInputError, average_query_expansion


@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("k", [1, 4, 99])
def test_equals_the_plain_definition(alpha, k):
    rng = np.random.default_rng(0)
    q, g = rng.standard_normal((7, 5)) + 1, 3 * (rng.standard_normal((30, 5)) + 1)
    got = average_query_expansion(q, g, k, alpha=alpha)
    unit_q, unit_g = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, g))
    for i in range(7):
        cosine = unit_g @ unit_q[i]
        near = np.argsort(-cosine)[:k]
        want = unit_q[i] + sum(max(cosine[j], 0.0) ** alpha * unit_g[j] for j in near)
        assert np.abs(got[i] - want / np.linalg.norm(want)).max() < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k=0"),
        ({"k": 1.5}, "k=1.5"),
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"alpha": float("inf")}, "alpha"),
        ({"alpha": "1"}, "alpha='1'"),
        ({"query_features": np.full((2, 3), np.nan)}, "query_features: row 0 holds NaN"),
        ({"gallery_features": np.array([[1.0] * 3, [np.inf] * 3])}, "gallery_features: row 1 holds NaN or infinity"),
        ({"gallery_features": np.ones((0, 3))}, "gallery_features is empty"),
        ({"query_features": np.ones((0, 3))}, "query_features is empty"),
        ({"gallery_features": np.ones((4, 5))}, "not the same model"),
        ({"query_features": np.zeros((2, 3))}, "all zeros"),
        ({"gallery_features": -np.ones((4, 3)), "k": 1}, "cancel out"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(EvaluationInputError, match=message):
        average_query_expansion(**{"query_features": np.ones((2, 3)), "gallery_features": np.ones((4, 3)), **options})


def test_one_single_image_and_copies_of_it():
    for gallery in ([[0.0, 2.0]], [[0.0, 2.0]] * 9):
        assert np.abs(average_query_expansion([[0.0, 5.0]], gallery) - [[0.0, 1.0]]).max() < 1e-6
