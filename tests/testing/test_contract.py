"""Contract: how a part is built, what a breach says, and that a check leaves the random generators alone."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest
import torch
from torch import nn

from reidzoo.registry import BACKBONE
from reidzoo.testing.contract import Contract, ContractError


class Layer(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.weight, self.width = nn.Parameter(torch.randn(3)), width


@pytest.fixture
def layer(monkeypatch):
    monkeypatch.setitem(BACKBONE.module_dict, "Layer", Layer)


@pytest.mark.parametrize(
    ("part", "width"), [("Layer", 2), ({"type": "Layer", "width": 4}, 4), (Layer, 2), (functools.partial(Layer, 5), 5)]
)
def test_a_part_that_can_be_built_is_built_from_a_seed(layer, part, width):
    with Contract(BACKBONE, part) as contract:
        one, same, other = contract.build(), contract.build(), contract.build(seed=1)
    assert contract.can_build and contract.name == "Layer"
    assert ("width" in contract.parameters()) == (not isinstance(part, functools.partial))
    assert one.width == width and one is not same
    assert torch.equal(one.weight, same.weight) and not torch.equal(one.weight, other.weight)


def test_a_part_that_is_built_is_copied():
    part = Layer()
    with Contract(BACKBONE, part) as contract:
        copy = contract.build(seed=1)
    assert copy is not part and torch.equal(copy.weight, part.weight)
    assert not contract.can_build and not contract.parameters() and contract.name == "Layer"


def test_what_the_framework_gives_wins(layer):
    with Contract(BACKBONE, {"type": "Layer", "width": 4}) as contract:
        assert contract.build(width=7).width == 7
        with pytest.raises(ContractError, match=r"it is built with \(depth=1\); ConfigError: .*depth"):
            contract.build(depth=1)


def test_a_breach_names_the_part_and_the_clause():
    with Contract(BACKBONE, Layer) as contract:
        contract.require(True, "it holds")
        with pytest.raises(AssertionError, match=r"^BACKBONE: Layer breaks its contract: it is good; it is bad$"):
            contract.require(False, "it is good", "it is bad")
        with pytest.raises(ContractError, match=r"it works; ZeroDivisionError: .*zero$"), contract.clause("it works"):
            1 / 0  # noqa: B018
        with pytest.raises(ContractError, match=r"contract: inner$"), contract.clause("outer"):
            contract.require(False, "inner")


def test_global_draws_are_noticed_and_a_check_leaves_no_trace():
    before = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    with Contract(BACKBONE, Layer) as contract:
        for module, draw in (("torch", lambda: torch.rand(1)), ("numpy", np.random.rand), ("random", random.random)):
            with pytest.raises(ContractError, match=f"no draws; .* of {module}$"), contract.no_draws("no draws"):
                draw()
        with contract.no_draws("no draws", "numpy", "random"):
            torch.rand(1)
    assert (torch.rand(1), np.random.rand(), random.random()) == expected != before
