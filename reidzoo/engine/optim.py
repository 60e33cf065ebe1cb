"""Named optimizers with ``minimize``: everything that a step does to weights, in one visible call."""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from reidzoo import distributed
from reidzoo.checks import FLAG, PROBABILITY, TEXT, Rule, check, each, mapping_of, number, optional
from reidzoo.engine.layer_decay import layer_factors
from reidzoo.errors import ConfigError
from reidzoo.registry import MISFITS, Registry, describe

__all__ = ["Optimizer", "build_optimizers"]


OPTIMIZER = Registry("OPTIMIZERS")
"""Looks up classes of other packages than torch; nothing is registered."""

RULES = {
    "type": TEXT,
    "params": each(TEXT, least=1),
    "lr": number(above=0, most=1000),
    "lr_mult": mapping_of(number(0, 10000)),
    "layer_decay": number(above=0, most=1),
    "groups": Rule("a mapping of patterns to mappings", lambda value: isinstance(value, Mapping)),
    "weight_decay": number(0, 1),
    "momentum": number(0, below=1),
    "dampening": PROBABILITY,
    "betas": each(number(0, below=1), 2),
    "alpha": PROBABILITY,
    "eps": number(above=0, most=1),
    **dict.fromkeys(("nesterov", "amsgrad", "maximize", "centered", "differentiable", "capturable"), FLAG),
    **dict.fromkeys(("foreach", "fused"), optional(FLAG)),
    "decoupled_weight_decay": FLAG,
}
"""What the arguments of torch's optimizers must be, which themselves let NaN and most wrong types through."""

GROUP_RULES = {"lr_mult": number(0, 10000), "weight_decay": RULES["weight_decay"]}
"""What an entry of ``groups`` may say."""
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
"""Layers that normalise: batch, instance, layer, group and root-mean-square norm."""
MOVED = ("lr", "momentum", "betas")
"""What torch's schedulers move."""


class Optimizer:
    """A torch optimizer with the step that training needs: ``minimize(loss)``.

    Args:
        optimizer: the torch optimizer.
        grad_clip: largest norm of the gradient, 0 for no bound.
        scaler: multiplies the loss, so that small gradients survive float16, and divides the gradients; a step whose
            gradient is infinite or NaN is left out, and the factor halved. None for none.

    Attributes:
        companions: optimizers of losses' parameters, such as centres, that take a step of the same loss along with it.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, grad_clip: float = 0.0, scaler: torch.amp.GradScaler | None = None
    ) -> None:
        self.torch = optimizer
        self.grad_clip, self.scaler = grad_clip, scaler
        self.companions: list[Optimizer] = []
        self.configured = [
            {key: value for key, value in group.items() if key not in ("params", "param_names")}
            for group in optimizer.param_groups
        ]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Every parameter it moves."""
        return [p for group in self.torch.param_groups for p in group["params"]]

    @property
    def lr(self) -> float:
        """The learning rate of the first group, for logs."""
        return self.torch.param_groups[0]["lr"]

    def scale_lr(self, factor: float) -> None:
        """Set every group's learning rate to ``factor`` times the configured one."""
        for group, configured in zip(self.torch.param_groups, self.configured, strict=True):
            group["lr"] = configured["lr"] * factor

    def set_groups(self, groups: Iterable[Mapping[str, Any]], factor: float = 1.0) -> None:
        """Set what schedules move, learning rate and momentum, to the values of ``groups``; the rate times ``factor``.

        Args:
            groups: one for each of the optimizer's, in their order, with ``lr``.
            factor: on the learning rate alone.
        """
        for group, wanted in zip(self.torch.param_groups, groups, strict=True):
            group.update({key: wanted[key] for key in MOVED if key in wanted})
            group["lr"] = wanted["lr"] * factor

    def minimize(self, loss: Tensor) -> None:
        """Move the parameters one step down the gradient of ``loss``; no other parameter's gradient is touched.

        Those of its companions are moved, too, by the companions.
        """
        together = [self, *self.companions]
        parameters = [p for optim in together for p in optim.parameters if p.requires_grad]
        if self.scaler is not None:
            loss = self.scaler.scale(loss)
        if distributed.world_size() > 1:
            distributed.averaged_backward(loss, parameters)
            grads: Sequence[Tensor | None] = [parameter.grad for parameter in parameters]
        else:
            grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = _laid_out_like(parameter, grad)
        moved = [optim._step(self.scaler) for optim in together]
        if self.scaler is not None and any(moved):
            self.scaler.update()

    def _step(self, scaler: torch.amp.GradScaler | None) -> bool:
        """Take a step along the gradients that are there and drop them; returns whether there were any."""
        if self.grad_clip:
            if scaler is not None:
                scaler.unscale_(self.torch)
            nn.utils.clip_grad_norm_([p for p in self.parameters if p.requires_grad], self.grad_clip)
        for group in self.torch.param_groups:
            _complete_momenta(self.torch, group, begin=scaler is not None)
        moved = any(parameter.grad is not None for parameter in self.parameters)
        if scaler is None:
            self.torch.step()
        elif moved:
            scaler.step(self.torch)
        self.torch.zero_grad(set_to_none=True)
        return moved

    def take_over(self, other: Optimizer) -> None:
        """Copy from ``other`` the state, such as Adam's moments, of the parameters that both have."""
        self.torch.state.update({p: other.torch.state[p] for p in self.parameters if p in other.torch.state})

    def state_dict(self) -> dict[str, Any]:
        """Return the torch optimizer's state, its class, what was configured for each group, and the scaler's state.

        The last is there, as ``scaler``, where there is one.
        """
        scaler = {} if self.scaler is None else {"scaler": self.scaler.state_dict()}
        kind = type(self.torch).__name__
        return {**self.torch.state_dict(), "type": kind, "configured": self.configured, **scaler}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a saved state, such as Adam's moments.

        Learning rate, weight decay and the like are then those of the configuration where it has changed, and otherwise
        what they were. A state of an older reidzoo does not say what was configured: all but the learning rate are the
        configuration's.

        Raises:
            ValueError: it is of another class or of other parameters, or of the same in another order, or a moment is
                not of its parameter's shape: torch's fused optimizers would walk out of its memory.
        """
        self._check_kind(state)
        _check_moments(self.torch, state)
        if self.scaler is not None and "scaler" in state:
            self.scaler.load_state_dict(dict(state["scaler"]))
        self.torch.load_state_dict({key: state[key] for key in ("state", "param_groups")})
        self._follow(state.get("configured"))
        for parameter, moments in self.torch.state.items():
            for name, moment in moments.items():
                if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                    moments[name] = _laid_out_like(parameter, moment)

    def _check_kind(self, state: Mapping[str, Any]) -> None:
        kind = type(self.torch).__name__
        if state.get("type", kind) != kind:
            raise ValueError(f"It is the state of {state['type']}, and the optimizer is {kind} now")
        theirs, ours = _names(state["param_groups"]), _names(self.torch.param_groups)
        if not theirs or theirs == ours:  # an older reidzoo wrote no names
            return
        lost = [f"no longer {name}" for name in theirs if name not in set(ours)]
        new = [f"now {name}" for name in ours if name not in set(theirs)]
        if lost or new:
            raise ValueError(f"It moves other parameters: {', '.join([*lost, *new][:10])}")
        was, now = next((a, b) for a, b in zip(theirs, ours) if a != b)
        raise ValueError(
            f"It moves the same parameters in another order ({now} where {was} was); see params and lr_mult"
        )

    def _follow(self, before: Sequence[Mapping[str, Any]] | None) -> None:
        """Take what the configuration has changed since ``before``; what a hook has changed stays."""
        before = before or [{"lr": ours["lr"]} for ours in self.configured]
        for group, ours, theirs in zip(self.torch.param_groups, self.configured, before, strict=True):
            for key, value in ours.items():
                if key == "lr":
                    if value != theirs[key]:
                        group[key] *= value / theirs[key]
                elif key not in theirs or theirs[key] != value:
                    group[key] = value


def _names(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    return [name for group in groups for name in group.get("param_names", ())]


def _check_moments(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Raise ValueError for a saved moment that is not of its parameter's shape.

    It is asked of the optimizers that have a fused form; their steps are counted in a tensor without dimensions.
    """
    if "fused" not in optimizer.defaults:
        return
    for group, saved in zip(optimizer.param_groups, state["param_groups"]):  # torch compares their numbers
        for parameter, key in zip(group["params"], saved["params"]):
            for name, moment in state["state"].get(key, {}).items():
                if moment is None:  # SGD's, before its first step
                    continue
                shape = () if name == "step" else tuple(parameter.shape)
                found = tuple(moment.shape) if isinstance(moment, Tensor) else type(moment).__name__
                if found != shape or moment.layout != torch.strided or moment.is_meta:
                    raise ValueError(f"{name} of a parameter of shape {tuple(parameter.shape)} is saved as {found}")


def _laid_out_like(parameter: Tensor, grad: Tensor | None) -> Tensor | None:
    """Return ``grad`` with the parameter's strides.

    torch's fused optimizers on a CPU walk through both memories side by side, whatever their strides. The second
    derivatives of a gradient penalty come contiguous where the weights are channels-last: every weight would move by
    another one's gradient, without an error.
    """
    if grad is None or grad.stride() == parameter.stride():
        return grad
    return torch.empty_like(parameter).copy_(grad)


def _complete_momenta(optimizer: torch.optim.Optimizer, group: Mapping[str, Any], begin: bool) -> None:
    """Give parameters without a momentum one of zeros where others have one: torch's fused SGD takes all or none.

    A classifier that is new after a clustering has none, nor has a layer that gets its first gradient late.

    Args:
        optimizer: whatever its class.
        group: of its parameters.
        begin: do so before the first step, too: where a scaler leaves that step out, torch's fused SGD goes on from
            memory that nothing was written to.
    """
    if not (isinstance(optimizer, torch.optim.SGD) and group["momentum"] and group["fused"]):
        return
    moved = [parameter for parameter in group["params"] if parameter.grad is not None]
    begun = [optimizer.state.get(parameter, {}).get("momentum_buffer") is not None for parameter in moved]
    if (begin or any(begun)) and not all(begun):
        for parameter, has in zip(moved, begun):
            if not has:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def build_optimizers(
    nodes: Mapping[str, Mapping],
    parts: nn.ModuleDict,
    grad_clip: float,
    precision: str = "fp32",
    moved: Collection[nn.Parameter] = (),
) -> dict[str, Optimizer]:
    """Build the named optimizers.

    Args:
        nodes: optimizer name -> ``{type: Adam, lr: ..., ...}``; ``type`` is a class of ``torch.optim`` or dotted.
            Four keys are ours: ``params``, the dotted names of the sub-modules to move (default: the part of the
            optimizer's own name); ``lr_mult``, sub-module -> factor on the learning rate, 0 or more; ``layer_decay``,
            a further factor for each layer of a backbone below the head, see ``layer_factors``; and ``groups``,
            pattern -> ``{lr_mult: 2.0, weight_decay: 0.0}`` for what matches it: ``bias`` is every bias, ``norm`` what
            layers that normalise have, and others are patterns (fnmatch) of a parameter's whole name, such as
            ``*.pos_embed``. Of several that match, the last to name a key wins.
        parts: the trainer's parts.
        grad_clip: largest gradient norm, 0 for none.
        precision: of the networks; each optimizer has a scaler with ``fp16``.
        moved: parameters that are given to an optimizer although they are frozen: those it had before.

    Raises:
        ConfigError: an unknown optimizer, part or argument, or a value out of its range.
    """
    kept = {id(parameter) for parameter in moved}
    return {
        name: Optimizer(_build_one(name, node, parts, kept), grad_clip, _scaler(parts) if precision == "fp16" else None)
        for name, node in nodes.items()
    }


def _scaler(parts: nn.ModuleDict) -> torch.amp.GradScaler:
    return torch.amp.GradScaler(next(parts.parameters()).device.type)


def _build_one(
    name: str, node: Mapping[str, Any], parts: nn.ModuleDict, kept: Collection[int]
) -> torch.optim.Optimizer:
    where, node = f"OPTIMIZERS.{name}", dict(node)
    for key in sorted(RULES.keys() & node.keys()):
        check(where, RULES[key], **{key: node[key]})
    prefixes, multipliers, patterns = node.pop("params", [name]), node.pop("lr_mult", {}), node.pop("groups", {})
    decay = node.pop("layer_decay", 1)
    named = list(_select(name, parts, prefixes, kept))
    settings = _settings(where, patterns, named, parts)
    by_layer = layer_factors(where, decay, (key for key, _ in named), parts) if decay != 1 else {}
    groups: dict[tuple, list[tuple[str, nn.Parameter]]] = {}
    for key, parameter in named:
        factor = next((f for prefix, f in multipliers.items() if f"{key}.".startswith(f"{prefix}.")), 1.0)
        own = settings[key]
        factor *= own.get("lr_mult", 1.0) * by_layer.get(key, 1.0)
        own_decay = {"weight_decay": own["weight_decay"]} if "weight_decay" in own else {}
        groups.setdefault((factor, *own_decay.items()), []).append((key, parameter))
    for prefix in multipliers:
        if not any(f"{key}.".startswith(f"{prefix}.") for key, _ in named):
            raise ConfigError(f"{where}.lr_mult: {prefix!r} names no parameter of {', '.join(prefixes)}")
    cls, lr = _optimizer_class(name, node.pop("type", "Adam")), node.get("lr")
    closure = inspect.signature(getattr(cls, "step", cls)).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ConfigError(
            f"{where}: {cls.__name__} computes the losses several times in a step, and a step here does so once; take "
            f"another, such as Adam"
        )
    if lr is None:
        raise ConfigError(f"{where}: give it a learning rate, for example 'lr: 3.5e-4'")
    if "fused" in inspect.signature(cls).parameters and not (node.get("foreach") or node.get("differentiable")):
        node.setdefault("fused", True)  # three times as fast on a CPU
    try:
        return cls(
            [{"params": params, "lr": lr * factor, **dict(own)} for (factor, *own), params in groups.items()], **node
        )
    except MISFITS as error:
        raise ConfigError(f"{where}: {describe(cls)} cannot take these arguments: {error}") from error


def _settings(
    where: str, patterns: Mapping[str, Mapping[str, float]], named: Sequence[tuple[str, nn.Parameter]], parts: nn.Module
) -> dict[str, dict[str, float]]:
    """Return what ``groups`` says of each parameter."""
    settings: dict[str, dict[str, float]] = {key: {} for key, _ in named}
    of_norms = {
        id(parameter)
        for module in parts.modules()
        if isinstance(module, NORMS)
        for parameter in module.parameters(recurse=False)
    }
    kinds: dict[str, Callable[[str, nn.Parameter], bool]] = {
        "bias": lambda key, _: key.rpartition(".")[2] == "bias",
        "norm": lambda _, parameter: id(parameter) in of_norms,
    }
    for pattern, own in patterns.items():
        if not isinstance(own, Mapping) or not own or own.keys() - GROUP_RULES.keys():
            raise ConfigError(
                f"{where}.groups: {pattern!r} must have one or more of {', '.join(GROUP_RULES)}, such as "
                f"{{weight_decay: 0.0}}; got {dict(own) if isinstance(own, Mapping) else own!r}"
            )
        for key, value in own.items():
            check(f"{where}.groups: {pattern!r}", GROUP_RULES[key], **{key: value})
        matches = kinds.get(pattern, lambda key, _, pattern=pattern: fnmatch.fnmatchcase(key, pattern))
        chosen = [key for key, parameter in named if matches(key, parameter)]
        if not chosen and pattern not in kinds:
            raise ConfigError(
                f"{where}.groups: {pattern!r} matches no parameter; there are {', '.join(settings)[:300]}"
            )
        for key in chosen:
            settings[key].update(own)
    return settings


def _select(
    name: str, parts: nn.ModuleDict, prefixes: Iterable[str], kept: Collection[int]
) -> Iterable[tuple[str, nn.Parameter]]:
    for prefix in prefixes:
        named = [(key, p) for key, p in parts.named_parameters() if p.requires_grad or id(p) in kept]
        named = [(key, p) for key, p in named if f"{key}.".startswith(f"{prefix}.")]
        if not named:
            raise ConfigError(
                f"OPTIMIZERS.{name}: nothing to train is called {prefix!r}; the parts are {', '.join(parts)}. "
                f"Name the optimizer after a part, or list sub-modules under 'params'."
            )
        yield from named


def _optimizer_class(name: str, kind: str) -> type[torch.optim.Optimizer]:
    place, _, last = kind.rpartition(".")
    if place and place != "torch.optim":
        return OPTIMIZER.get(kind)
    cls = getattr(torch.optim, last, None)
    if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
        names = [k for k, v in vars(torch.optim).items() if isinstance(v, type) and k != "Optimizer"]
        raise ConfigError(f"OPTIMIZERS.{name}: torch.optim has no {last!r}; it has {', '.join(sorted(names))}")
    return cls
