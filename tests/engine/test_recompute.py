"""Forward passes in chunks and activations computed again learn what the plain forward pass learns."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reidzoo.engine.recompute import forward_in_chunks, recompute_blocks
from reidzoo.errors import ConfigError
from reidzoo.losses import TripletLoss
from reidzoo.models import Embedder, convert_batch_norm

PID = torch.arange(16) // 4


def model(group=4, dropout=0.0):
    torch.manual_seed(0)
    backbone = {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""}
    net = Embedder(backbone, {"type": "BNNeck"}, num_classes=4).double()
    if dropout:
        net.backbone.layer2[0].relu = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))
    return convert_batch_norm(net, group)


def images():
    return torch.randn(16, 3, 32, 16, generator=torch.manual_seed(1), dtype=torch.float64)


def step(net, forward):
    """Return loss, gradients and buffers of a step with batch-hard mining over the whole batch."""
    outputs = forward(net)
    loss = TripletLoss()(outputs["feat"], PID) + nn.functional.cross_entropy(outputs["logits"], PID)
    grads = torch.autograd.grad(loss, [p for p in net.parameters() if p.requires_grad], allow_unused=True)
    return loss.detach(), grads, dict(net.named_buffers())


def assert_equal_steps(one, other, tolerance=1e-10):
    torch.testing.assert_close(one[0], other[0], rtol=tolerance, atol=tolerance)
    for a, b in zip(one[1], other[1], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-7, atol=tolerance)
    for name in one[2]:
        torch.testing.assert_close(one[2][name], other[2][name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("size", [4, 8, 12, 16])
def test_chunks_of_whole_groups_equal_the_whole_batch(size):
    whole, chunked = model(), model()
    assert_equal_steps(
        step(whole, lambda net: net(images())),
        step(chunked, lambda net: forward_in_chunks(net, images(), size, list(net.parameters()))),
    )


def test_a_batch_of_one_chunk_keeps_its_graph():
    sizes = []
    weight = nn.Parameter(torch.ones(()))

    def run(chunk):
        sizes.append(len(chunk))
        return {"out": weight * chunk}

    forward_in_chunks(run, torch.ones(4, 2), 4, [weight])["out"].sum().backward()
    assert sizes == [4] and weight.grad == 8


def test_weights_that_only_one_chunk_uses_keep_its_gradient():
    first, last = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def run(chunk):
        return {"out": chunk * (first if chunk[0, 0] == 0 else last)}

    images = torch.arange(6.0)[:, None]
    forward_in_chunks(run, images, 2, [first, last])["out"].sum().backward()
    assert (first.grad, last.grad) == (0 + 1, 2 + 3 + 4 + 5)


def test_frozen_batch_norm_allows_any_chunk():
    nets = [model(group=0), model(group=0)]
    for net in nets:
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
    assert_equal_steps(
        step(nets[0], lambda net: net(images())),
        step(nets[1], lambda net: forward_in_chunks(net, images(), 5, list(net.parameters()))),
    )


def test_batch_norm_of_the_whole_batch_becomes_that_of_a_chunk():
    plain, chunked = model(group=0), model(group=0)
    chunks = [plain(chunk)["feat"] for chunk in images().split(8)]
    outputs = forward_in_chunks(chunked, images(), 8, list(chunked.parameters()))
    torch.testing.assert_close(outputs["feat"], torch.cat(chunks))
    outputs["feat"].sum().backward()
    for name, buffer in plain.named_buffers():  # moved once a chunk, and not again by the backward pass
        torch.testing.assert_close(dict(chunked.named_buffers())[name], buffer)


def test_dropout_draws_the_same_in_the_second_pass():
    net = model(dropout=0.5)
    plain = copy.deepcopy(net)

    def by_hand(net):
        parts = [net(chunk) for chunk in images().split(8)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    torch.manual_seed(3)
    expected = step(plain, by_hand)
    torch.manual_seed(3)
    found = step(net, lambda net: forward_in_chunks(net, images(), 8, list(net.parameters())))
    assert_equal_steps((*expected[:2], {}), (*found[:2], {}))


def test_weights_that_do_not_learn_get_no_gradient():
    nets = [model(), model()]
    for net in nets:
        net.backbone.conv1.requires_grad_(False)
    assert_equal_steps(
        step(nets[0], lambda net: net(images())),
        step(nets[1], lambda net: forward_in_chunks(net, images(), 8, list(net.parameters()))),
    )


def test_without_gradient_the_statistics_move_as_once():
    whole, chunked = model(), model()
    with torch.no_grad():
        a, b = whole(images()), forward_in_chunks(chunked, images(), 4, list(chunked.parameters()))
    for name in a:
        torch.testing.assert_close(a[name], b[name])
    for one, other in zip(whole.buffers(), chunked.buffers(), strict=True):
        torch.testing.assert_close(one, other)


def test_an_output_without_a_row_for_each_image_is_refused():
    with pytest.raises(ConfigError, match=r"SOLVER\.CHUNK: the output 'mean'"):
        forward_in_chunks(lambda chunk: {"mean": chunk.mean()}, images(), 8, [])


@pytest.mark.parametrize("group", [0, 4])
def test_blocks_computed_again_learn_the_same(group):
    whole, again = model(group, dropout=0.5), model(group, dropout=0.5)
    assert recompute_blocks(again.backbone) == 8
    assert list(again.state_dict()) == list(whole.state_dict())
    results = []
    for net in (whole, again):
        torch.manual_seed(3)
        results.append(step(net, lambda net: net(images())))
    assert_equal_steps(*results)
