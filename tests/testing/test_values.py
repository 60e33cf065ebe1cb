"""Comparisons of what parts return and keep."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from reidzoo.testing.values import difference, named_outputs, noise, saved_and_read


@pytest.mark.parametrize(
    "value",
    [
        {"a": torch.ones(2), "b": [1, 0.5, "x", None]},
        torch.tensor([1.0, torch.nan]),
        np.arange(3),
        (True, {"inner": torch.zeros(0)}),
    ],
)
def test_what_is_the_same(value):
    assert difference(value, value) == ""


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"a": 1}, {"b": 1}, r"one has \['a'\], the other one \['b'\]"),
        ({"a": [torch.ones(2), torch.zeros(2)]}, {"a": [torch.ones(2), torch.ones(2)]}, r"a\[1\] differs by up to 1"),
        ({"a": torch.ones(2)}, {"a": torch.ones(3)}, r"a is torch.float32 \(2,\) and torch.float32 \(3,\)"),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), "float32 .* and .*float64"),
        (torch.tensor([1, 2]), torch.tensor([1, 4]), "differs by up to 2"),
        (torch.tensor([torch.nan]), torch.tensor([0.0]), "differs by up to inf"),
        ({"a": 1}, {"a": 2}, "a is 1 and 2"),
        ({"a": 1}, {"a": True}, "a is 1 and True"),
        ([1], [1, 2], r"is \[1\] and \[1, 2\]"),
    ],
)
def test_what_differs_is_said_with_its_place(one, other, said):
    assert re.search(said, difference(one, other)), difference(one, other)


def test_rounding_is_no_difference():
    assert difference(torch.ones(3), torch.ones(3) + 1e-7) == "" != difference(torch.ones(3), torch.ones(3) + 1e-3)


def test_noise_is_its_own_and_checkpoints_give_back_what_they_were_given():
    assert torch.equal(noise(3, 4), noise(3, 4)) and not torch.equal(noise(3, 4), noise(3, 4, seed=1))
    assert named_outputs(torch.ones(1)).keys() == {"output"} and named_outputs({"a": 1}) == {"a": 1}
    state = {"a": torch.ones(2), "b": [1, "x"]}
    assert difference(saved_and_read(state), state) == ""
    with pytest.raises(Exception, match=r"weights_only"):
        saved_and_read({"a": test_rounding_is_no_difference})
