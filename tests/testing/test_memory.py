"""check_memory: our own memories pass, in two processes too, and each broken clause is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from reidzoo.distributed import gather
from reidzoo.registry import MEMORY
from reidzoo.testing import ContractError, check_memory
from reidzoo.testing.values import noise

from .own_parts import own_parts

pytestmark = pytest.mark.slow


def fill(memory):
    memory.initialise(noise(memory.num_source, 8), noise(memory.num_target, 8, seed=1))
    memory.relabel(torch.arange(memory.num_target) // 2)


CASES = [
    ({"type": "HybridMemory", "num_source": 3, "num_target": 6}, {"prepare": fill}),
    ({"type": "ExemplarMemory", "size": 9, "momentum_start": 0.3}, {"epoch": 0}),
    ({"type": "ExemplarMemory", "size": 9}, {"epoch": 0}),
]


def test_every_memory_is_checked():
    assert {node["type"] for node, _ in CASES} == own_parts(MEMORY)


@pytest.mark.parametrize(("node", "further"), CASES, ids=["hybrid", "exemplar", "exemplar-replaced"])
def test_our_own(node, further):
    check_memory(node, **further)


class Theirs(nn.Module):
    """A third party's memory; subclasses have one defect each."""

    def __init__(self, dim):
        super().__init__()
        self.register_buffer("rows", torch.zeros(6, dim))

    def forward(self, feat, index=None):
        return feat @ self.rows.t()

    @torch.no_grad()
    def update(self, feat, index):
        for one, row in zip(feat, index.tolist()):
            if not 0 <= row < len(self.rows):
                raise IndexError(row)
            self.move(one, row)

    def move(self, one, row):
        self.rows[row] = functional.normalize(0.5 * self.rows[row] + 0.5 * one, dim=0)


def test_a_third_partys():
    check_memory(Theirs)
    check_memory(Theirs(5), dim=5)


class NoBuffer(Theirs):
    def __init__(self, dim):
        super().__init__(dim)
        rows = self.rows
        del self.rows
        self.rows = rows


class MovesAll(Theirs):
    def move(self, one, row):
        super().move(one, row)
        self.rows += 0.1


class MovesNothing(Theirs):
    def move(self, one, row):
        pass


class OncePerRow(Theirs):
    @torch.no_grad()
    def update(self, feat, index):
        if index.min() < 0 or index.max() >= len(self.rows):
            raise IndexError
        self.rows[index] = functional.normalize(0.5 * self.rows[index] + 0.5 * feat, dim=1)


class TakesAnyRow(Theirs):
    @torch.no_grad()
    def update(self, feat, index):
        for one, row in zip(feat, index.tolist()):
            self.move(one, row)


class KeepsTheGraph(Theirs):
    def update(self, feat, index):
        rows = self.rows.clone()
        for one, row in zip(feat, index.tolist()):
            rows[row] = functional.normalize(0.5 * rows[row] + 0.5 * one, dim=0)
        self.rows = rows


class CutsTheGradient(Theirs):
    def forward(self, feat, index=None):
        return feat.detach() @ self.rows.t()


class LearnsWhileScoring(Theirs):
    def forward(self, feat, index=None):
        scores = super().forward(feat)
        self.rows = self.rows + 1
        return scores


class HiddenState(Theirs):
    def __init__(self, dim):
        super().__init__(dim)
        self.scale = torch.rand(1)

    def forward(self, feat, index=None):
        return self.scale * super().forward(feat)


class Random(Theirs):
    def move(self, one, row):
        super().move(one + 0.1 * torch.randn(len(one)), row)


class GathersItself(Theirs):
    def update(self, feat, index):
        super().update(gather(feat), gather(index))


class Updateless(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("rows", torch.zeros(6, dim))


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (NoBuffer, r"its rows are in a buffer \(N, dim\); it has no such buffer"),
        (MovesAll, r"update changes the rows given and no others; rows: rows \[2, 3, 4\] changed too"),
        (MovesNothing, r"update changes the rows given; rows: rows \[0, 1, 5\] stayed"),
        (OncePerRow, "a row that occurs several times is moved as often, in the order of the batch"),
        (TakesAnyRow, "IndexError for a row that does not exist; row -1 of 6 was taken"),
        (KeepsTheGraph, "update is under no_grad; rows has a gradient afterwards"),
        (CutsTheGradient, "RuntimeError: element 0 of tensors does not require grad"),
        (LearnsWhileScoring, "forward leaves the memory as it is; rows differs by up to 1"),
        (HiddenState, "all its state is in buffers; .* the scores"),
        (Random, "update draws no random numbers"),
        (GathersItself, "in several processes, each given the whole batch, it is what it is in one; in process 0"),
        (Updateless, r"update\(feat, index\) takes .*; AttributeError"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"MEMORY: {cls.__name__} breaks its contract: .*{said}"):
        check_memory(cls)
