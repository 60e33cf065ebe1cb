from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from reidzoo.errors import ConfigError
from reidzoo.losses import LossSet
from reidzoo.memories import ExemplarMemory
from reidzoo.registry import MEMORY

N, D = 40, 8


def filled(seed=0, **arguments):
    memory = MEMORY.build({"type": "ExemplarMemory", **arguments}, dim=D, size=N)
    generator = torch.Generator().manual_seed(seed)
    memory.keys.copy_(F.normalize(torch.randn(N, D, generator=generator)))
    return memory


def batch(seed, size=16, repeat=True):
    generator = torch.Generator().manual_seed(seed)
    feat = F.normalize(torch.randn(size, D, generator=generator))
    index = torch.randint(0, N, (size,), generator=generator) if repeat else torch.randperm(N, generator=generator)
    return feat, index[:size]


def plain_loss(keys, feat, index, beta, k, exemplar=True):
    """Eq. 3 to 8, image by image in float64; M(x, k) are the k nearest keys, and the own one too (Eq. 6)."""
    keys, total = keys.double(), 0.0
    for f, i in zip(feat, index.tolist()):
        similarity = [float(key @ f.detach()) for key in keys]
        log_p = torch.log(torch.exp(keys @ f / beta) / torch.exp(keys @ f / beta).sum())
        nearest = sorted(range(len(keys)), key=lambda j: -similarity[j])[:k]
        loss = -log_p[i] if exemplar else 0.0
        for j in nearest:
            if j != i:
                loss = loss - log_p[j] / k
        total = total + loss
    return total / len(feat)


NODES = {"tgt": {"type": "InvarianceLoss"}}


def loss_of(memory, feat, index, epoch):
    scores = memory(feat, index)
    columns, weights = memory.targets(scores, index, epoch)
    return LossSet(NODES)({"scores": scores, "columns": columns, "weights": weights})["tgt"]


@pytest.mark.parametrize("exemplar, neighbours, epoch, k", [
    (True, 6, 59, 6), (True, 6, 4, 0), (True, 6, 5, 6), (True, 0, 59, 0), (False, 6, 59, 6), (True, 1, 59, 1),
])  # fmt: skip
def test_loss_and_gradient_equal_the_formulas(exemplar, neighbours, epoch, k):
    memory = filled(exemplar=exemplar, neighbours=neighbours)
    feat, index = batch(1)
    feat[:4] = memory.keys[index[:4]]  # some images are their own nearest, most are not
    reference = feat.double().requires_grad_()
    feat.requires_grad_()
    loss = loss_of(memory, feat, index, epoch)
    expected = plain_loss(memory.keys, reference, index, 0.05, k, exemplar)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    (gradient,), (wanted,) = torch.autograd.grad(loss, feat), torch.autograd.grad(expected, reference)
    assert (gradient - wanted).norm() / wanted.norm() < 1e-4


def test_all_switches_off_until_the_neighbours_begin_is_no_loss():
    memory = filled(exemplar=False)
    feat, index = batch(1)
    feat.requires_grad_()
    loss = loss_of(memory, feat, index, epoch=0)
    assert loss.item() == 0 and torch.autograd.grad(loss, feat)[0].abs().max() == 0


def test_weights_add_up_as_in_the_authors_code():
    memory = filled()
    feat, index = memory.keys[:12].clone(), torch.arange(12)
    index[6:] = 30 - index[6:]
    scores = memory(feat)
    columns, weights = memory.targets(scores, index, 5)
    assert columns.shape == weights.shape == (12, 7)
    for row in range(12):
        dense = torch.zeros(N).index_add_(0, columns[row], weights[row])
        code = torch.zeros(N)
        code[scores[row].topk(6).indices] = 1 / 6
        within = code[index[row]] > 0
        code[index[row]] = 1
        torch.testing.assert_close(dense, code)
        assert dense.sum().item() == pytest.approx(1 + 5 / 6 if within else 2)
    assert (weights[:6].sum(1) < 1.9).all()


def test_update_is_sequential_for_repeated_images():
    memory = filled()
    feat, _ = batch(2, size=8)
    index = torch.tensor([2, 9, 2, 2, 16, 9, 0, 2])
    expected = memory.keys.double()
    for f, i in zip(feat.double(), index.tolist()):
        mixed = 0.59 * expected[i] + 0.41 * f
        expected[i] = mixed / mixed.norm()
    memory.update(feat, index, epoch=59)
    torch.testing.assert_close(memory.keys.double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "arguments, epoch, alpha",
    [({}, 0, 0.0), ({}, 59, 0.59), ({}, 150, 1.0), ({"momentum_start": 0.01}, 0, 0.01)],
)
def test_alpha(arguments, epoch, alpha):
    memory = filled(**arguments)
    before = memory.keys.clone()
    feat, _ = batch(3, size=1)
    memory.update(2 * feat, torch.tensor([7]), epoch)  # the update normalises, whatever it is given
    assert memory.momentum(epoch) == pytest.approx(alpha)
    torch.testing.assert_close(memory.keys[7], F.normalize(alpha * before[7] + (1 - alpha) * 2 * feat[0], dim=0))
    assert torch.equal(memory.keys[:7], before[:7]) and torch.equal(memory.keys[8:], before[8:])


def test_starts_from_zeros():
    memory = ExemplarMemory(D, N)
    feat, index = batch(4, repeat=False)
    assert not memory.keys.any()
    feat.requires_grad_()
    loss = loss_of(memory, feat, index, epoch=0)
    assert loss.item() == pytest.approx(math.log(N))  # every class is as likely
    memory.update(feat.detach(), index, epoch=30)
    torch.testing.assert_close(memory.keys[index], feat.detach())  # nothing there to mix with
    memory.update(torch.zeros_like(feat), index, epoch=0)
    assert torch.isfinite(memory.keys).all()


def test_resumes_bit_by_bit():
    memory = filled()
    memory.update(*batch(1), epoch=3)
    resumed = ExemplarMemory(D, N)
    resumed.load_state_dict(copy.deepcopy(memory.state_dict()))
    for step in range(20):
        feat, index = batch(step)
        assert torch.equal(memory(feat), resumed(feat))
        memory.update(feat, index, epoch=4)
        resumed.update(feat, index, epoch=4)
    assert torch.equal(memory.keys, resumed.keys)
    with pytest.raises(RuntimeError, match="keys"):
        ExemplarMemory(D, N + 1).load_state_dict(memory.state_dict())


def test_low_temperature_half_precision_and_autocast():
    memory = filled(temperature=0.001)
    feat, index = batch(5)
    feat.requires_grad_()
    loss = loss_of(memory, feat, index, epoch=5)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(feat.grad).all()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(memory(feat), memory(feat).float())
        scores = memory(feat)
    assert torch.equal(scores, memory(feat))
    memory.update(feat.bfloat16(), index, epoch=1)
    assert memory.keys.dtype == torch.float32


def test_an_update_before_backward_is_reported():
    memory = filled()
    feat, index = batch(6)
    feat.requires_grad_()
    loss = loss_of(memory, feat, index, epoch=5)
    memory.update(feat, index, epoch=5)
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()


@pytest.mark.parametrize("row", [-1, N])
def test_wrong_rows(row):
    with pytest.raises(IndexError, match="memory rows"):
        filled().update(torch.randn(1, D), torch.tensor([row]), epoch=0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": 0.0},
        {"momentum_start": 1.5},
        {"momentum_per_epoch": -0.1},
        {"neighbours": -1},
        {"exemplar": False, "neighbours": 0},
    ],
)
def test_wrong_arguments(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        ExemplarMemory(D, N, **arguments)


@pytest.mark.parametrize("neighbours", [2, 6])
def test_all_images_may_be_neighbours(neighbours):
    memory = ExemplarMemory(4, 6, neighbours=neighbours, neighbours_by="tested")
    assert memory.neighbours_of.shape == (6, neighbours)


@pytest.mark.parametrize("neighbours", [0, 1, 7])
def test_tested_neighbours_that_cannot_be_found_are_refused(neighbours):
    with pytest.raises(ConfigError, match="from 2, an image and another, to the 6 images"):
        ExemplarMemory(4, 6, neighbours=neighbours, neighbours_by="tested")


def test_soft_labels_of_tested_neighbours():
    """The image weighs 1 and the others 1/k, whatever the scores are; before they begin the image is alone."""
    memory = ExemplarMemory(4, 6, neighbours=3, neighbours_from=1, neighbours_by="tested")
    memory.take_neighbours(torch.tensor([[n, (n + 1) % 6, (n + 2) % 6] for n in range(6)]))
    scores, index = torch.randn(2, 6), torch.tensor([4, 0])
    columns, weights = memory.targets(scores, index, 1)
    dense = torch.zeros(2, 6).scatter_add_(1, columns, weights)
    expected = torch.zeros(2, 6)
    expected[0, [4, 5, 0]] = torch.tensor([1, 1 / 3, 1 / 3])
    expected[1, [0, 1, 2]] = torch.tensor([1, 1 / 3, 1 / 3])
    torch.testing.assert_close(dense, expected)
    assert memory.targets(scores, index, 0)[0].tolist() == [[4], [0]]
    assert "neighbours_of" in memory.state_dict() and "neighbours_of" not in ExemplarMemory(4, 6).state_dict()
