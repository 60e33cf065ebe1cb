from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reidzoo.engine.optim import Optimizer, build_optimizers
from reidzoo.errors import ConfigError


def parts():
    torch.manual_seed(0)
    return nn.ModuleDict({"model": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "disc": nn.Linear(2, 1)})


def test_minimize_moves_its_own_parameters_only():
    modules = parts()
    optims = build_optimizers({"model": {"type": "SGD", "lr": 0.1}, "disc": {"type": "SGD", "lr": 0.1}}, modules, 0.0)
    before = {key: value.clone() for key, value in modules.state_dict().items()}
    loss = modules["disc"](modules["model"](torch.ones(3, 2))).sum()
    optims["model"].minimize(loss)
    for key, value in modules.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("disc"), key
    assert all(p.grad is None for p in modules.parameters())


def test_lr_mult_and_params():
    node = {"type": "Adam", "lr": 1.0, "params": ["model", "disc"], "lr_mult": {"model.0": 0.1}}
    optim = build_optimizers({"all": node}, parts(), 0.0)["all"]
    assert sorted(group["lr"] for group in optim.torch.param_groups) == [0.1, 1.0]
    for _ in range(2):  # of the configured one, not of what it is by now
        optim.scale_lr(0.5)
        assert sorted(group["lr"] for group in optim.torch.param_groups) == [0.05, 0.5]
    assert len(optim.parameters) == 6


@pytest.mark.parametrize(
    "node, message",
    [
        ({"type": "Adamm", "lr": 1}, "torch.optim has no 'Adamm'"),
        ({"type": "Adam"}, "learning rate"),
        ({"type": "LBFGS", "lr": 1}, "LBFGS computes the losses several times"),
        ({"type": "Adam", "lr": 1, "momentum": 0.9}, "momentum"),
        ({"type": "Adam", "lr": 1, "params": ["head"]}, "nothing to train is called 'head'"),
        ({"type": "Adam", "lr": 1, "lr_mult": {"model.9": 2}}, "model.9"),
        ({"type": "Adam", "lr": -1}, "OPTIMIZERS.model: lr must be a number above 0"),
        ({"type": "Adam", "lr": 1, "lr_mult": {"model": -1}}, "lr_mult must be a mapping of names to values, each"),
        ({"type": "Adam", "lr": 1, "weight_decay": "much"}, "weight_decay must be a number from 0 to 1, got 'much'"),
        ({"type": "Adam", "lr": 1, "betas": [0.9]}, "betas must be a list of 2 values"),
        ({"type": "SGD", "lr": 1, "momentum": 1.5}, "momentum must be a number of at least 0 and below 1"),
        ({"type": "SGD", "lr": 1, "nesterov": True}, "Nesterov momentum requires a momentum"),
        ({"type": "Adam", "lr": 1, "params": "model"}, "params must be a list of 1 or more values"),
    ],
)
def test_mistakes_are_named(node, message):
    with pytest.raises(ConfigError, match=message):
        build_optimizers({"model": node}, parts(), 0.0)


def test_dotted_type():
    assert isinstance(build_optimizers({"model": {"type": "torch.optim.RAdam", "lr": 1}}, parts(), 0)["model"].torch,
                      torch.optim.RAdam)  # fmt: skip


@pytest.mark.parametrize("given, fused", [({}, True), ({"fused": False}, False), ({"foreach": True}, None)])
def test_torchs_optimizers_are_fused_unless_the_configuration_says_otherwise(given, fused):
    optim = build_optimizers({"model": {"type": "Adam", "lr": 1, **given}}, parts(), 0)["model"]
    assert optim.torch.param_groups[0]["fused"] is fused


def test_gradient_clipping():
    weight = nn.Parameter(torch.zeros(4))
    Optimizer(torch.optim.SGD([weight], lr=1.0), grad_clip=0.5).minimize((weight * 100).sum())
    assert weight.norm().item() == pytest.approx(0.5)


def test_take_over_keeps_the_moments_of_what_stayed():
    old, other = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    before = Optimizer(torch.optim.Adam([old, other], lr=0.1))
    before.minimize((old + other).sum())
    new = nn.Parameter(torch.zeros(3))
    optim = Optimizer(torch.optim.Adam([new, other], lr=0.1))
    optim.take_over(before)
    optim.minimize(new.sum() + other.sum())
    assert set(optim.torch.state) == {new, other}
    assert optim.torch.state[new]["step"] == 1 and optim.torch.state[other]["step"] == 2


@pytest.mark.parametrize("kind", ["Adam", "SGD"])
def test_a_gradient_of_other_strides_moves_the_weights_it_is_of(kind):
    """A gradient penalty's are contiguous where the weights are channels-last; torch's fused steps ignore strides."""
    start, gradient = torch.randn(8, 3, 4, 4), torch.randn(8, 3, 4, 4)
    part = nn.ParameterDict({"weight": start.clone(memory_format=torch.channels_last)})
    node = {"type": kind, "lr": 0.1, "momentum": 0.9} if kind == "SGD" else {"type": kind, "lr": 0.1}
    optimizer = build_optimizers({"model": node}, nn.ModuleDict({"model": part}), 0.0)["model"]
    plain = nn.Parameter(start.clone())
    reference = getattr(torch.optim, kind)([plain], **{key: value for key, value in node.items() if key != "type"})
    for _ in range(2):
        optimizer.minimize((part["weight"] * gradient.clone()).sum())
        plain.grad = gradient.clone()
        reference.step()
    torch.testing.assert_close(part["weight"], plain)


@pytest.mark.parametrize("fused", [True, False])
def test_sgd_begins_the_momentum_of_a_late_parameter_as_of_an_early_one(fused):
    first, late = (nn.Parameter(torch.ones(3)) for _ in range(2))
    node = {"type": "SGD", "lr": 0.1, "momentum": 0.5, "fused": fused}
    modules = nn.ModuleDict({"model": nn.ParameterList([first, late])})
    optim = build_optimizers({"model": node}, modules, 0.0)["model"]
    optim.minimize(first.sum())  # a layer that a phase does not use
    optim.minimize(first.sum() + late.sum())
    optim.minimize(first.sum() + late.sum())
    torch.testing.assert_close(first.detach(), torch.full((3,), 1 - 0.1 * (1 + 1.5 + 1.75)))
    torch.testing.assert_close(late.detach(), torch.full((3,), 1 - 0.1 * (1 + 1.5)))


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "SGD", "Adagrad"])
def test_moments_of_another_shape_are_refused(kind):
    node = {"type": kind, "lr": 0.1, **({"momentum": 0.9} if kind == "SGD" else {})}
    modules = parts()
    optim = build_optimizers({"model": node}, modules, 0.0)["model"]
    optim.minimize(modules["model"](torch.ones(3, 2)).sum())
    state = optim.state_dict()
    optim.load_state_dict(state)  # its own fits
    for name in state["state"][0].keys() - {"step"}:
        for wrong in (torch.zeros(()), torch.zeros(1), torch.zeros(1, 2), torch.zeros(2, 2).to_sparse(), 0.0):
            bad = {**state, "state": {**state["state"], 0: {**state["state"][0], name: wrong}}}
            with pytest.raises(ValueError, match=rf"{name} of a parameter of shape \(2, 2\) is saved as"):
                optim.load_state_dict(bad)
    if "step" in state["state"][0]:
        bad = {**state, "state": {**state["state"], 0: {**state["state"][0], "step": torch.zeros(4)}}}
        with pytest.raises(ValueError, match="step of a parameter"):
            optim.load_state_dict(bad)


def test_moments_that_share_memory_get_their_own():
    """A file may hold a tensor of the right shape whose rows all lie in one place; a fused step would walk past it."""
    modules = parts()
    optim = build_optimizers({"model": {"type": "Adam", "lr": 0.1}}, modules, 0.0)["model"]
    optim.minimize(modules["model"](torch.ones(3, 2)).sum())
    state = optim.state_dict()
    state["state"][0]["exp_avg"] = torch.full((1,), 0.25).expand(2, 2)
    optim.load_state_dict(state)
    for parameter in optim.parameters:
        for name in ("exp_avg", "exp_avg_sq"):
            assert optim.torch.state[parameter][name].stride() == parameter.stride()
    assert torch.equal(optim.torch.state[optim.parameters[0]]["exp_avg"], torch.full((2, 2), 0.25))


def scaled(kind="Adam", grad_clip=0.0, **arguments):
    modules = parts()
    node = {"type": kind, "lr": 0.1, **arguments}
    return modules, build_optimizers({"model": node}, modules, grad_clip, "fp16")["model"]


@pytest.mark.parametrize("kind, arguments", [("Adam", {}), ("SGD", {"momentum": 0.9}), ("RMSprop", {})])
@pytest.mark.parametrize("grad_clip", [0.0, 0.5])
def test_scaling_moves_as_no_scaling_does(kind, arguments, grad_clip):
    modules, optim = scaled(kind, grad_clip, **arguments)
    plain = parts()
    other = build_optimizers({"model": {"type": kind, "lr": 0.1, **arguments}}, plain, grad_clip)["model"]
    for _ in range(3):
        for net, each in ((modules, optim), (plain, other)):
            each.minimize(net["model"](torch.ones(3, 2)).square().sum())
    for one, two in zip(modules.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("grad_clip", [0.0, 0.5])
def test_a_companion_takes_the_same_step_by_its_own_rule(precision, grad_clip):
    def net():
        torch.manual_seed(0)
        return nn.ModuleDict({"model": nn.Linear(2, 2), "centers": nn.Linear(2, 2)})

    def loss(net):
        return net["centers"](net["model"](torch.ones(3, 2))).square().sum()

    nodes = {"model": {"type": "Adam", "lr": 0.1}, "centers": {"type": "SGD", "lr": 0.5, "momentum": 0.9}}
    ours, plain = net(), net()
    optims = build_optimizers(nodes, ours, grad_clip, precision)
    optims["model"].companions.append(optims["centers"])
    both = [
        torch.optim.Adam(plain["model"].parameters(), lr=0.1),
        torch.optim.SGD(plain["centers"].parameters(), 0.5, 0.9),
    ]
    for _ in range(3):
        optims["model"].minimize(loss(ours))
        loss(plain).backward()
        for optim in both:
            if grad_clip:
                nn.utils.clip_grad_norm_(optim.param_groups[0]["params"], grad_clip)
            optim.step()
            optim.zero_grad()
    for one, two in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["Adam", "SGD", "RMSprop"])
def test_a_step_whose_gradient_overflows_is_left_out_and_the_factor_halved(kind):
    modules, optim = scaled(kind)
    before = [p.detach().clone() for p in modules.parameters()]
    factor = optim.scaler.get_scale()
    optim.minimize(modules["model"](torch.ones(3, 2)).sum() * 1e36)  # finite, and infinite times the factor
    assert all(torch.equal(p, old) for p, old in zip(modules.parameters(), before, strict=True))
    assert optim.scaler.get_scale() == factor / 2
    optim.minimize(modules["model"](torch.ones(3, 2)).sum())
    assert not torch.equal(next(modules["model"].parameters()), before[0])


def test_momentum_begins_with_the_first_step_that_is_taken():
    modules, optim = scaled("SGD", momentum=0.9)
    for _ in range(3):
        junk = [torch.full_like(p, torch.nan) for p in modules.parameters()]  # what fresh memory may hold
        del junk
        optim.minimize(modules["model"](torch.ones(3, 2)).sum() * 1e36)
    plain = parts()
    other = build_optimizers({"model": {"type": "SGD", "lr": 0.1, "momentum": 0.9}}, plain, 0.0)["model"]
    for _ in range(2):
        for net, each in ((modules, optim), (plain, other)):
            each.minimize(net["model"](torch.ones(3, 2)).square().sum())
    for one, two in zip(modules.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_the_scaler_is_saved():
    modules, optim = scaled()
    optim.minimize(modules["model"](torch.ones(3, 2)).sum() * 1e36)
    state = optim.state_dict()
    _, fresh = scaled()
    fresh.load_state_dict(state)
    assert fresh.scaler.get_scale() == optim.scaler.get_scale() == 2.0**15


# --- resuming under another configuration ----------------------------------------------------------------------------


def stepped(node, modules=None):
    """Return the optimizer of ``node`` after two steps, and its state as a checkpoint gives it back."""
    modules = modules or parts()
    optim = build_optimizers({"model": node}, modules, 0.0)["model"]
    for _ in range(2):
        optim.minimize(modules["disc"](modules["model"](torch.ones(3, 2))).sum())
    return optim, copy.deepcopy(optim.state_dict())


def test_a_resumed_optimizer_has_the_settings_of_the_configuration():
    adam = {"type": "Adam", "lr": 0.1, "weight_decay": 0.0}
    optim, state = stepped(adam)
    optim.scale_lr(0.25)
    state = copy.deepcopy(optim.state_dict())
    for changes, expected in (
        ({}, {"lr": 0.025, "weight_decay": 0.0, "betas": (0.9, 0.999)}),
        ({"lr": 0.2}, {"lr": 0.05, "weight_decay": 0.0}),  # the factor of the schedule stays
        ({"weight_decay": 0.5, "betas": [0.5, 0.9]}, {"lr": 0.025, "weight_decay": 0.5, "betas": (0.5, 0.9)}),
    ):
        again = build_optimizers({"model": {**adam, **changes}}, parts(), 0.0)["model"]
        again.load_state_dict(state)
        group = again.torch.param_groups[0]
        found = {key: tuple(group[key]) if key == "betas" else group[key] for key in expected}  # older torch: a list
        assert found == expected
        assert torch.equal(again.torch.state[again.parameters[0]]["exp_avg"], state["state"][0]["exp_avg"])


def test_what_a_hook_has_set_stays_where_the_configuration_did_not_change():
    optim, _ = stepped({"type": "SGD", "lr": 0.1, "momentum": 0.5})
    optim.torch.param_groups[0]["momentum"] = 0.75
    again = build_optimizers({"model": {"type": "SGD", "lr": 0.1, "momentum": 0.5}}, parts(), 0.0)["model"]
    again.load_state_dict(copy.deepcopy(optim.state_dict()))
    assert again.torch.param_groups[0]["momentum"] == 0.75


def test_a_state_of_an_older_reidzoo_is_read():
    _, state = stepped({"type": "Adam", "lr": 0.1, "weight_decay": 0.25})
    del state["type"], state["configured"], state["param_groups"][0]["param_names"]
    state["param_groups"][0]["lr"] = 0.05
    optim = build_optimizers({"model": {"type": "Adam", "lr": 0.1, "weight_decay": 0.5}}, parts(), 0.0)["model"]
    optim.load_state_dict(state)
    group = optim.torch.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.05, 0.5)
    assert optim.state_dict()["param_groups"][0]["param_names"][0] == "model.0.weight"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "SGD"}, "It is the state of Adam, and the optimizer is SGD now"),
        ({"params": ["model.1"]}, r"other parameters: no longer model\.0\.weight, no longer model\.0\.bias$"),
        ({"params": ["model", "disc"]}, r"other parameters: now disc\.weight, now disc\.bias$"),
        ({"params": ["model.1", "model.0"]}, r"another order \(model\.1\.weight where model\.0\.weight was\)"),
        ({"lr_mult": {"model.1": 0.5}}, "different number of parameter groups"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_by_name(changes, message):
    """Two layers of one shape: the moments of one would be taken for the other's without an error."""
    _, state = stepped({"type": "Adam", "lr": 0.1})
    optim = build_optimizers({"model": {"type": "Adam", "lr": 0.1, **changes}}, parts(), 0.0)["model"]
    with pytest.raises(ValueError, match=message):
        optim.load_state_dict(state)
    assert not optim.torch.state


class Normed(nn.Module):
    """Layers of every kind that ``groups`` tells apart."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.ln, self.pos_embed = nn.LayerNorm(4), nn.Parameter(torch.zeros(1, 4))
        self.classifier = nn.Linear(4, 2, bias=False)


def grouped(groups, **more):
    """Return name -> (learning rate, weight decay) of each parameter."""
    modules = nn.ModuleDict({"model": Normed()})
    node = {"type": "SGD", "lr": 1.0, "weight_decay": 0.5, "groups": groups, **more}
    optim = build_optimizers({"model": node}, modules, 0.0)["model"]
    names = {id(parameter): name for name, parameter in modules["model"].named_parameters()}
    groups = optim.torch.param_groups
    return {names[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}


def test_groups_by_kind_and_pattern_the_last_that_names_a_key_wins():
    groups = {
        "norm": {"weight_decay": 0.0, "lr_mult": 3.0},
        "bias": {"lr_mult": 2.0},
        "*.pos_embed": {"weight_decay": 0.25},
        "model.classifier.*": {"lr_mult": 10.0},
    }
    assert grouped(groups, lr_mult={"model.ln": 0.5}) == {
        "pos_embed": (1.0, 0.25), "conv.weight": (1.0, 0.5), "conv.bias": (2.0, 0.5), "bn.weight": (3.0, 0.0),
        "bn.bias": (2.0, 0.0), "ln.weight": (1.5, 0.0), "ln.bias": (1.0, 0.0), "classifier.weight": (10.0, 0.5),
    }  # fmt: skip


def test_without_groups_the_parameters_keep_their_order():
    """A checkpoint's moments go by it."""
    modules = nn.ModuleDict({"model": Normed()})
    optim = build_optimizers({"model": {"type": "SGD", "lr": 1.0}}, modules, 0.0)["model"]
    assert [id(p) for p in optim.parameters] == [id(p) for p in modules.parameters()]


@pytest.mark.parametrize(
    "groups, message",
    [
        ({"*.biass": {"lr_mult": 2}}, r"groups: '\*.biass' matches no parameter; there are model.pos_embed"),
        ({"bias": {"lr": 2}}, "groups: 'bias' must have one or more of lr_mult, weight_decay"),
        ({"bias": {}}, "must have one or more"),
        ({"bias": 2}, "must have one or more"),
        ({"bias": {"weight_decay": -1}}, "groups: 'bias': weight_decay must be"),
        (["bias"], "groups must be a mapping"),
    ],
)
def test_mistakes_in_groups_are_named(groups, message):
    with pytest.raises(ConfigError, match=message):
        grouped(groups)


def test_a_frozen_parameter_stays_with_the_optimizer_that_had_it():
    modules = parts()
    first, second = modules["model"][0], modules["model"][1]
    node = {"model": {"type": "Adam", "lr": 0.1}}
    before = build_optimizers(node, modules, 0.0)["model"]
    first.requires_grad_(False)
    assert len(build_optimizers(node, modules, 0.0)["model"].parameters) == 2
    after = build_optimizers(node, modules, 0.0, moved=before.parameters)["model"]
    assert [id(p) for p in after.parameters] == [id(p) for p in before.parameters]
    weights = [p.detach().clone() for p in (first.weight, second.weight)]
    after.minimize(modules["model"](torch.ones(3, 2)).sum())
    assert torch.equal(first.weight, weights[0]) and not torch.equal(second.weight, weights[1])
