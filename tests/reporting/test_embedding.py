from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from reidzoo.errors import UserError
from reidzoo.reporting.embedding import embedding_map


def test_who_is_near_is_counted_in_the_space_itself(make_retrieval):
    """Six images of each of three people, who lie far apart; the cameras mean nothing to them."""
    pytest.importorskip("sklearn")
    query = [(pid, 0) for pid in (1, 2, 3)]
    gallery = [(pid, number % 2) for pid in (1, 2, 3) for number in range(5)]
    centres = 9 * torch.eye(3, 6)
    noise = torch.randn(18, 6, generator=torch.manual_seed(0)) / 20
    q, g = centres + noise[:3], centres.repeat_interleave(5, 0) + noise[3:]
    retrieval = make_retrieval(query, gallery, q=q, g=g)
    laid = embedding_map(retrieval)
    assert laid.points.shape == (18, 2) and np.isfinite(laid.points).all()
    assert laid.same_identity == 1
    cameras = np.array([0] * 3 + [n % 2 for _ in range(3) for n in range(5)])
    zeros, ones = (cameras == 0).sum(), (cameras == 1).sum()
    assert laid.camera_chance == pytest.approx((zeros * (zeros - 1) + ones * (ones - 1)) / (18 * 17))
    assert sorted(np.unique(laid.pids)) == [1, 2, 3]


def test_mistakes_say_what_to_do(make_retrieval, monkeypatch):
    with pytest.raises(UserError, match="7 images or more, there are"):
        embedding_map(make_retrieval([(1, 0)], [(1, 1)]))
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(UserError, match=r"reidzoo\[report\]"):
        embedding_map(make_retrieval())
