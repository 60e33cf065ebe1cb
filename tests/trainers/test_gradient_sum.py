from __future__ import annotations

import torch

from reidzoo.trainers.gradient_sum import GradientSum


def test_the_sum_is_the_gradient_of_all_batches():
    torch.manual_seed(0)
    layer, idle = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    total = GradientSum([*layer.parameters(), *idle.parameters()])
    batches = torch.randn(4, 5, 3)
    for batch in batches:
        total.add(layer(batch).square().mean())
    assert all(parameter.grad is None for parameter in layer.parameters())
    wanted = torch.autograd.grad(sum(layer(batch).square().mean() for batch in batches), list(layer.parameters()))
    found = torch.autograd.grad(total.as_loss(), list(layer.parameters()))
    for one, other in zip(found, wanted):
        torch.testing.assert_close(one, other)


def test_it_is_kept_in_buffers():
    layer = torch.nn.Linear(3, 2)
    total, other = GradientSum(layer.parameters()), GradientSum(layer.parameters())
    total.add(layer(torch.ones(1, 3)).sum())
    other.load_state_dict(total.state_dict())
    assert all(torch.equal(one, two) and one.any() for one, two in zip(total.buffers(), other.buffers()))
    assert not list(total.parameters())
    total.clear()
    assert not any(buffer.any() for buffer in total.buffers())
