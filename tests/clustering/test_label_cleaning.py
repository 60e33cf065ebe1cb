from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.clustering import singletons, size_bounds


def test_size_bounds_discards_and_renumbers_in_the_old_order():
    labels = np.repeat([0, 1, 2, -1, 3], [5, 4, 121, 3, 120])
    expected = np.repeat([0, -1, -1, -1, 1], [5, 4, 121, 3, 120])
    result = size_bounds(labels)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(size_bounds(torch.from_numpy(labels)), expected)


def test_size_bounds_without_an_upper_bound():
    labels = np.repeat([0, 1], [500, 2])
    assert size_bounds(labels, 3, None).tolist() == [0] * 500 + [-1] * 2


def test_size_bounds_of_one_size():
    assert size_bounds(np.repeat([0, 1, 2], [1, 2, 3]), 2, 2).tolist() == [-1, 0, 0, -1, -1, -1]


def test_size_bounds_closes_gaps_and_takes_no_images():
    assert size_bounds(np.array([9, 3, 3, 9, -1]), 0, 2).tolist() == [1, 0, 0, 1, -1]
    assert size_bounds(np.array([], dtype=int)).tolist() == []
    assert size_bounds(np.array([-1, -1])).tolist() == [-1, -1]


def test_size_bounds_leaves_its_input_alone():
    labels = np.array([0, 0, 1])
    size_bounds(labels, 2)
    assert labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("bounds", [(-1, 5), (6, 5), (0, 0), (np.nan, 5), (1, 2.5)])
def test_bounds_that_nothing_meets(bounds):
    with pytest.raises(ValueError, match=r"min_size|max_size"):
        size_bounds(np.array([0]), *bounds)


def test_singletons_come_after_the_clusters():
    labels = np.array([-1, 2, 0, -1, 2])
    assert singletons(labels).tolist() == [3, 2, 0, 4, 2]
    assert labels.tolist() == [-1, 2, 0, -1, 2]
    assert singletons(np.array([-1, -1])).tolist() == [0, 1]
    assert singletons(np.array([], dtype=int)).tolist() == []


@pytest.mark.parametrize("labels", [np.array([0.5]), np.array([[0]]), np.array([-2])])
def test_bad_labels(labels):
    for refine in (size_bounds, singletons):
        with pytest.raises(ValueError, match="labels: expected"):
            refine(labels)
