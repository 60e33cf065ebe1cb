from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from reidzoo.errors import DatasetError
from reidzoo.registry import SAMPLER


def build(pids, batch_size, **node):
    zeros = np.zeros(len(pids), dtype=np.int64)
    data = SimpleNamespace(pids=np.array(pids), camids=zeros, domains=zeros)
    return SAMPLER.build({"type": "ShuffleSampler", **node}, data=data, batch_size=batch_size)


def test_a_pass_has_every_image_once():
    rows = np.concatenate(build(range(12), 4).batches(0, 0))
    assert rows.dtype == np.int64
    assert sorted(rows) == list(range(12))


def test_junk_is_left_out_unless_asked_for():
    assert sorted(np.concatenate(build([0, -1, 1, -1], 2).batches(0, 0))) == [0, 2]
    assert sorted(np.concatenate(build([0, -1, 1, -1], 2, unlabelled=True).batches(0, 0))) == [0, 1, 2, 3]


def test_too_few_images():
    with pytest.raises(DatasetError, match=r"2 images to draw from.*4 with.*batch takes 3"):
        build([0, -1, 1, -1], 3)
