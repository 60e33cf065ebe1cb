from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.memories import InvarianceMemory, invariance_targets
from reidzoo.memories.invariance_memory import greatest


def test_targets_carry_no_gradient_and_keep_within_the_memory():
    scores = torch.randn(3, 4, requires_grad=True)
    columns, weights = invariance_targets(scores, torch.tensor([0, 1, 2]), 9)
    assert columns.shape == (3, 5) and not weights.requires_grad
    assert weights[0].max() == 1 and weights[0].min() == 0


@pytest.mark.parametrize("columns", [5, 64, 200, 700, 1000])
@pytest.mark.parametrize("count", [1, 6])
def test_the_greatest_are_those_of_topk(columns, count):
    scores = torch.randn(20, columns)
    scores[0] = 0.0
    wanted = scores.topk(min(count, columns), dim=1).values
    assert torch.equal(scores.gather(1, greatest(scores, count)), wanted)


def test_neighbours_begin_with_their_epoch():
    scores, index = torch.randn(3, 8), torch.tensor([4, 0, 1])
    memory = InvarianceMemory(0.05, exemplar=False, neighbours=2, neighbours_from=3)
    columns, weights = memory.targets(scores, index, epoch=2)
    assert torch.equal(columns, index[:, None]) and not weights.any()
    columns, weights = memory.targets(scores, index, epoch=3)
    assert columns.shape == weights.shape == (3, 3) and weights.any()


@pytest.mark.parametrize(("neighbours", "with_some"), [(0, False), (1, False), (2, True)])
def test_an_image_alone_has_no_neighbours(neighbours, with_some):
    memory = InvarianceMemory(0.05, exemplar=True, neighbours=neighbours, neighbours_from=3)
    assert [memory.with_neighbours(epoch) for epoch in (2, 3)] == [False, with_some]


@pytest.mark.parametrize("arguments", [(0.0, True, 6, 5), (0.05, True, -1, 5), (0.05, False, 0, 5)])
def test_wrong_arguments(arguments):
    with pytest.raises(ConfigError, match="InvarianceMemory"):
        InvarianceMemory(*arguments)
