from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.engine import compilation
from reidzoo.engine.compilation import compile_backbones
from reidzoo.errors import ConfigError
from reidzoo.models import Embedder, convert_batch_norm

CALLS: list[str] = []


def model(group):
    torch.manual_seed(0)
    backbone = {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""}
    return convert_batch_norm(Embedder(backbone, {"type": "BNNeck"}, num_classes=4), group)


def count_graphs(graph, inputs):
    """Stand in for the compiler: run what torch.compile has traced as it is."""
    CALLS.append("graph")
    return graph.forward


@pytest.fixture
def traced(monkeypatch):
    CALLS.clear()
    torch._dynamo.reset()
    plain = torch.compile
    monkeypatch.setattr(compilation.torch, "compile", lambda f, mode: plain(f, backend=count_graphs))
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize("group", [0, 4])
def test_a_compiled_backbone_is_one_graph_and_learns_the_same(traced, group):
    parts = nn.ModuleDict({"model": model(group)})
    plain = model(group)
    names = list(parts.state_dict())
    assert len(compile_backbones(parts, "default")) == 1
    assert list(parts.state_dict()) == names
    images = torch.randn(8, 3, 32, 16, generator=torch.manual_seed(1))
    for _ in range(2):
        outputs, expected = parts["model"](images), plain(images)
        torch.testing.assert_close(outputs["logits"], expected["logits"], rtol=1e-4, atol=1e-5)
        for value in (outputs, expected):
            value["logits"].square().sum().backward()
    for (name, one), other in zip(parts["model"].named_parameters(), plain.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4, msg=name)
    for one, other in zip(parts["model"].buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert CALLS == ["graph"], "a graph break, or a second compilation"
    parts.eval()
    parts["model"](images[:3])
    assert CALLS == ["graph"], "evaluation is not compiled"


def test_mistakes_are_named(monkeypatch):
    with pytest.raises(ConfigError, match="no part has a module 'backbone'"):
        compile_backbones(nn.ModuleDict({"model": nn.Linear(2, 2)}), "default")
    monkeypatch.setattr(compilation, "world_size", lambda: 2)
    with pytest.raises(ConfigError, match="several processes"):
        compile_backbones(nn.ModuleDict({"model": model(0)}), "default")
