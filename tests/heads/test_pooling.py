"""Pooling against the formulas in float64."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.heads.pooling import GeM, build_pooling


def test_average_and_maximum():
    maps = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(build_pooling("avg")(maps), maps.mean((2, 3)))
    torch.testing.assert_close(build_pooling("max")(maps), maps.amax((2, 3)))


def slow_gem(maps, p, eps):
    return (maps.clamp(min=eps) ** p).mean((2, 3)) ** (1 / p)


@pytest.mark.parametrize("p", [1.0, 3.0, 6.5])
def test_gem_is_the_papers_formula(p):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 4, 5).double().requires_grad_()
    layer = GeM(p).double()
    expected = slow_gem(maps, p, 1e-6)
    torch.testing.assert_close(layer(maps), expected)
    grads = torch.autograd.grad(layer(maps).square().sum(), maps)
    torch.testing.assert_close(grads, torch.autograd.grad(expected.square().sum(), maps))


def test_gem_gradients():
    torch.manual_seed(0)
    layer = GeM(2.5).double()
    maps = (torch.rand(2, 2, 2, 3).double() + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda maps, p: torch.func.functional_call(layer, {"p": p}, (maps,)), (maps, layer.p)
    )


@pytest.mark.parametrize("value, p", [(0.0, 3.0), (0.0, 20.0), (1e4, 20.0)])
def test_gem_stays_finite_in_float32(value, p):
    """1e-6^20 underflows and 1e4^20 overflows float32; a channel after ReLU may well be 0 all over."""
    layer = GeM(p)
    maps = torch.full((1, 1, 2, 2), value, requires_grad=True)
    out = layer(maps)
    out.sum().backward()
    assert out.item() == pytest.approx(max(value, 1e-6), rel=1e-5)
    assert torch.isfinite(maps.grad).all() and torch.isfinite(layer.p.grad).all()


@pytest.mark.parametrize("name", ["avg", "max", "gem", "gem+max"])
def test_half_maps_are_pooled_in_float32(name):
    maps = torch.rand(2, 3, 8, 4)
    half = maps.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = build_pooling(name)(half)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, build_pooling(name)(half.float()))


def test_names_with_a_plus_are_sums():
    maps = torch.rand(2, 3, 4, 5).double()
    torch.testing.assert_close(build_pooling("gem+max").double()(maps), slow_gem(maps, 3.0, 1e-6) + maps.amax((2, 3)))
    torch.testing.assert_close(build_pooling("avg+max")(maps), maps.mean((2, 3)) + maps.amax((2, 3)))


def test_unknown_pooling():
    with pytest.raises(ConfigError, match="one of avg, max, gem, avg\\+max, gem\\+max"):
        build_pooling("mean")
