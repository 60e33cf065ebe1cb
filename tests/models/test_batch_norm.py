"""Batch norm over groups, over processes and per domain, each against a loop of nn.BatchNorm."""

from __future__ import annotations

import copy
import textwrap

import pytest
import torch
from torch import nn

from reidzoo.backbones.resnet import ResNet
from reidzoo.errors import ConfigError
from reidzoo.heads.bnneck import BNNeck
from reidzoo.models.batch_norm import (
    DomainBatchNorm,
    GlobalBatchNorm,
    GroupBatchNorm,
    convert_batch_norm,
    split_batch_norm,
)


def make_norm(dim=2, **arguments):
    torch.manual_seed(3)
    norm = (nn.BatchNorm2d if dim == 2 else nn.BatchNorm1d)(5, **arguments)
    for tensor in [*norm.parameters(), *norm.buffers()]:
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 1.5)
    return norm


def make_maps(shape, dtype=torch.float64, memory_format=torch.contiguous_format):
    torch.manual_seed(4)
    maps = (torch.randn(shape, dtype=dtype) * 2 + 1).contiguous(memory_format=memory_format)
    return maps.requires_grad_()


def loop_groups(norm, maps, group):
    """Normalise chunk by chunk with nn.BatchNorm; the running statistics are the mean over the chunks' own."""
    outputs, means, variances = [], [], []
    for chunk in maps.split(group):
        replica = copy.deepcopy(norm)
        outputs.append(replica(chunk) if not norm.affine else nn.functional.batch_norm(
            chunk, replica.running_mean, replica.running_var, norm.weight, norm.bias, True, norm.momentum, norm.eps
        ))  # fmt: skip
        means.append(replica.running_mean)
        variances.append(replica.running_var)
    return torch.cat(outputs), torch.stack(means).mean(0), torch.stack(variances).mean(0)


SHAPES = [
    ((8, 5), 1, torch.contiguous_format),
    ((8, 5, 3), 1, torch.contiguous_format),
    ((8, 5, 4, 3), 2, torch.contiguous_format),
    ((8, 5, 4, 3), 2, torch.channels_last),
]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("group", [2, 4, 8])
@pytest.mark.parametrize("shape, dim, memory_format", SHAPES)
def test_groups_equal_a_loop_over_chunks(shape, dim, memory_format, group, affine):
    norm = make_norm(dim, affine=affine).double()
    maps = make_maps(shape, memory_format=memory_format)
    expected, mean, variance = loop_groups(norm, maps, group)
    towards = torch.randn_like(expected)
    inputs = [maps, *norm.parameters()]
    expected_grads = torch.autograd.grad((expected * towards).sum(), inputs)
    converted = convert_batch_norm(norm, group)
    assert isinstance(converted, GroupBatchNorm)
    output = converted(maps)
    grads = torch.autograd.grad((output * towards).sum(), [maps, *converted.parameters()])
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(grads, expected_grads)
    torch.testing.assert_close(converted.running_mean, mean)
    torch.testing.assert_close(converted.running_var, variance)
    assert converted.num_batches_tracked == norm.num_batches_tracked
    assert output.is_contiguous(memory_format=memory_format)


def test_group_gradient():
    norm = convert_batch_norm(make_norm().double(), 2)
    norm.momentum = 0.0
    assert torch.autograd.gradcheck(norm, make_maps((4, 5, 2, 2)))


@pytest.mark.parametrize("group", [0, 4])
def test_evaluation_uses_running_statistics(group):
    norm = make_norm().eval()
    maps = make_maps((6, 5, 4, 3), torch.float32)
    torch.testing.assert_close(convert_batch_norm(copy.deepcopy(norm), group)(maps), norm(maps))


@pytest.mark.parametrize("group", [0, 8])
@pytest.mark.parametrize("arguments", [{}, {"momentum": None}, {"track_running_stats": False}, {"affine": False}])
@pytest.mark.parametrize("training", [True, False])
def test_one_group_is_batch_norm(group, arguments, training):
    norm = make_norm(**arguments).train(training)
    converted = convert_batch_norm(copy.deepcopy(norm), group)
    for step in range(2):
        maps = make_maps((8, 5, 4, 3), torch.float32) + step
        torch.testing.assert_close(converted(maps), norm(maps))
    torch.testing.assert_close(converted.state_dict(), norm.state_dict())


def test_a_batch_that_is_no_multiple():
    norm = convert_batch_norm(make_norm(), 4)
    with pytest.raises(ConfigError, match=r"groups of 4 images got a batch of 6.*MODEL\.BN_GROUP"):
        norm(make_maps((6, 5, 2, 2), torch.float32))
    norm.eval()(make_maps((6, 5, 2, 2), torch.float32))
    with pytest.raises(ValueError, match="at least 1"):
        GroupBatchNorm(5, group=0)
    with pytest.raises(ValueError, match="group must be 0"):
        convert_batch_norm(norm, -1)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("convert", [lambda n: convert_batch_norm(n, 4), convert_batch_norm, split_batch_norm])
def test_half_precision_keeps_statistics_in_float32(convert, memory_format):
    norm = convert(make_norm())
    maps = make_maps((8, 5, 16, 8), torch.float32, memory_format).detach()
    reference = copy.deepcopy(norm)
    with torch.autocast("cpu", torch.bfloat16):
        output = norm(maps.bfloat16())
    assert output.dtype == torch.bfloat16
    expected = reference(maps.bfloat16().float())
    torch.testing.assert_close(output.float(), expected, atol=0.02, rtol=0.01)
    for name, value in norm.state_dict().items():
        assert value.dtype in (torch.float32, torch.int64)
        torch.testing.assert_close(value, reference.state_dict()[name])


def test_conversion_reaches_ibn_and_keeps_keys_and_parameters():
    model = ResNet(18, "a", width=4)
    keys, parameters = list(model.state_dict()), list(model.parameters())
    assert convert_batch_norm(model, 2) is model
    assert list(model.state_dict()) == keys
    assert all(new is old for new, old in zip(model.parameters(), parameters))
    assert isinstance(model.layer1[0].bn1.BN, GroupBatchNorm) and isinstance(model.layer1[0].bn1.IN, nn.InstanceNorm2d)
    assert not any(type(module) is nn.BatchNorm2d for module in model.modules())
    convert_batch_norm(model, 0)
    assert isinstance(model.layer1[0].bn1.BN, GlobalBatchNorm)


class Halved(nn.BatchNorm2d):
    """Computes something else."""

    def forward(self, maps):
        return super().forward(maps) / 2


class Resting(nn.BatchNorm2d):
    """Is never in training mode."""

    def train(self, mode=True):
        return super().train(False)


class Named(nn.BatchNorm2d):
    """Has nothing of its own."""


@pytest.mark.parametrize("group", [0, 4])
def test_norms_of_other_packages_that_work_otherwise_are_left(group):
    model = convert_batch_norm(nn.Sequential(Halved(5), Resting(5), Named(5), nn.SyncBatchNorm(5)), group)
    kind = GroupBatchNorm if group else GlobalBatchNorm
    assert [type(norm) for norm in model] == [Halved, Resting, kind, kind]


def test_conversion_keeps_mode_frozen_bias_and_sharing():
    head = BNNeck(5).eval()
    convert_batch_norm(head, 2)
    assert not head.bn.bias.requires_grad and not head.bn.training
    shared = nn.BatchNorm1d(5)
    model = convert_batch_norm(nn.Sequential(shared, nn.ReLU(), shared), 2)
    assert model[0] is model[2]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_domains_are_normalised_apart(memory_format):
    norm = make_norm().double()
    source, target = copy.deepcopy(norm), copy.deepcopy(norm)
    split = split_batch_norm(norm)
    maps = make_maps((8, 5, 4, 3), memory_format=memory_format)
    output = split(maps)
    torch.testing.assert_close(output, torch.cat([source(maps[:4]), target(maps[4:])]))
    torch.testing.assert_close(split.domains[0].state_dict(), source.state_dict())
    torch.testing.assert_close(split.domains[1].state_dict(), target.state_dict())
    assert output.is_contiguous(memory_format=memory_format)
    split.eval()
    torch.testing.assert_close(split(maps), target.eval()(maps))
    split.eval_domain = 0
    torch.testing.assert_close(split(maps), source.eval()(maps))


@pytest.mark.parametrize("group_first", [True, False])
def test_domains_of_groups(group_first):
    norm = make_norm().double()
    maps = make_maps((8, 5, 4, 3))
    parts = [loop_groups(norm, part, 2) for part in maps.chunk(2)]
    model = nn.Sequential(norm)
    model = (
        split_batch_norm(convert_batch_norm(model, 2))
        if group_first
        else convert_batch_norm(split_batch_norm(model), 2)
    )
    torch.testing.assert_close(model(maps), torch.cat([output for output, _, _ in parts]))
    for domain, (_, mean, variance) in zip(model[0].domains, parts):
        assert isinstance(domain, GroupBatchNorm)
        torch.testing.assert_close(domain.running_mean, mean)
        torch.testing.assert_close(domain.running_var, variance)


def test_domains_of_a_model():
    model = nn.Sequential(ResNet(18, "a", width=4), BNNeck(32))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    split_batch_norm(model, 3)
    state = model.state_dict()
    for name, value in before.items():
        owner, _, leaf = name.rpartition(".")
        if name in state:
            assert torch.equal(state[name], value)
        else:
            assert all(torch.equal(state[f"{owner}.domains.{domain}.{leaf}"], value) for domain in range(3))
    assert "0.bn1.domains.0.weight" in state and "0.layer1.0.bn1.BN.domains.2.running_var" in state
    assert not any(domain.bias.requires_grad for domain in model[1].bn.domains)
    assert model[1].bn.domains[0].weight is not model[1].bn.domains[1].weight
    model(torch.randn(6, 3, 64, 32))
    with pytest.raises(ValueError, match="already per domain"):
        split_batch_norm(model)


def test_domains_that_do_not_divide_the_batch():
    split = split_batch_norm(make_norm())
    with pytest.raises(ConfigError, match=r"batch of 7.*not 2 equal parts"):
        split(make_maps((7, 5, 2, 2), torch.float32))
    with pytest.raises(ValueError, match="no domain 2 among 2"):
        DomainBatchNorm(make_norm(), 2, eval_domain=2)


WORKER = """
    import sys
    import torch
    from torch import distributed, nn
    from reidzoo.models.batch_norm import convert_batch_norm, split_batch_norm

    distributed.init_process_group("gloo")
    rank, folder = distributed.get_rank(), sys.argv[1]
    case = torch.load(f"{folder}/case.pth", weights_only=True)
    results = {}
    for name, (group, domains, sizes) in case["setups"].items():
        norm = nn.BatchNorm2d(5).double()
        norm.load_state_dict(case["norm"])
        norm = convert_batch_norm(norm, group)
        if domains:
            norm = split_batch_norm(norm)
        start = sum(sizes[:rank])
        rows = slice(start, start + sizes[rank])
        maps = case["maps"][rows].clone().requires_grad_()
        output = norm(maps)
        (output * case["towards"][rows]).sum().backward()
        grads = [parameter.grad for parameter in norm.parameters()]
        results[name] = {"output": output.detach(), "maps": maps.grad, "grads": grads, "state": norm.state_dict()}
        half = convert_batch_norm(nn.BatchNorm2d(5), group)(case["maps"][rows].bfloat16())
        assert half.dtype == torch.bfloat16
    torch.save(results, f"{folder}/{rank}.pth")
    distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_equal_one(run_processes, tmp_path):
    """Each setup runs in two gloo processes and in this one, on the same global batch."""
    setups = {"global": (0, False, [5, 3]), "group": (2, False, [6, 2]), "domains": (0, True, [4, 4])}
    norm = make_norm().double()
    maps, towards = make_maps((8, 5, 4, 3)).detach(), torch.randn(8, 5, 4, 3, dtype=torch.float64)
    case = {"setups": setups, "norm": norm.state_dict(), "maps": maps, "towards": towards}
    torch.save(case, tmp_path / "case.pth")
    for run in run_processes(2, "-c", textwrap.dedent(WORKER), tmp_path):
        assert run.returncode == 0, run.stderr
    ranks = [torch.load(tmp_path / f"{rank}.pth", weights_only=True) for rank in range(2)]
    for name, (group, domains, sizes) in setups.items():
        one = convert_batch_norm(copy.deepcopy(norm), group)
        order = torch.arange(8)
        if domains:
            one = split_batch_norm(one)
            # The processes hold [source | target] halves of their own; one process holds all sources first.
            order = torch.tensor([0, 1, 4, 5, 2, 3, 6, 7])
        inputs = maps[order].clone().requires_grad_()
        output = one(inputs)
        (output * towards[order]).sum().backward()
        both = [results[name] for results in ranks]
        back = order.argsort()
        torch.testing.assert_close(torch.cat([result["output"] for result in both]), output[back].detach(), msg=name)
        torch.testing.assert_close(torch.cat([result["maps"] for result in both]), inputs.grad[back], msg=name)
        for parameter, *parts in zip(one.parameters(), *(result["grads"] for result in both)):
            torch.testing.assert_close(sum(parts), parameter.grad, msg=name)
        for result in both:
            torch.testing.assert_close(result["state"], one.state_dict())
        assert sum(sizes) == 8


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 5, 3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_groups_are_normalised_alike_side_by_side_and_one_by_one(shape, layout):
    maps = torch.randn(shape, dtype=torch.float64)
    maps = maps.to(memory_format=layout) if len(shape) == 4 else maps
    norm = GroupBatchNorm(6, group=2).double()
    torch.nn.init.normal_(norm.weight)
    results = []
    for normalise in (norm._side_by_side, norm._group_by_group):
        given = maps.clone().requires_grad_()
        mean, variance = torch.zeros(4, 6, dtype=torch.float64), torch.ones(4, 6, dtype=torch.float64)
        output = normalise(given, mean, variance)
        grads = torch.autograd.grad(output.cos().sum(), [given, norm.weight, norm.bias])
        results.append([output.detach(), mean, variance, *grads])
        assert output.is_contiguous(memory_format=layout if len(shape) == 4 else torch.contiguous_format)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
