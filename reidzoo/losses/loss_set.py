"""The losses of one phase, built from a configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from reidzoo.checks import TEXT, check, mapping_of, number
from reidzoo.distributed import agreed, gather_objects
from reidzoo.errors import ConfigError, UserError
from reidzoo.registry import LOSS

__all__ = ["LossSet"]

RESERVED = ("weight", "inputs", "phase")
SIZES = {
    **dict.fromkeys(("embedding_size", "embedding_dim", "feat_dim", "descriptors_dim"), "dim"),
    "num_classes": "num_classes",
}
"""What constructors call what the framework gives them. ``dim`` itself may mean an axis, where it has a default."""
SYNONYMS = {"embeddings": "feat", "labels": "pid"}
"""Tensors by pytorch-metric-learning's names -> by ours."""


class _Input(NamedTuple):
    """One parameter of a loss's ``forward`` and the tensor it takes."""

    parameter: str
    key: str
    required: bool


class LossSet(nn.Module):
    """Named, weighted losses; each takes the tensors that the parameters of its ``forward`` name.

    A node is ``{type: <a LOSS, or a dotted path>, <constructor arguments>}`` and these keys of the set's own:

    * ``weight``: the factor of this loss in the sum, 0 or more, 1.0 unless given;
    * ``inputs``: ``{parameter: tensor}`` for a loss whose parameters are not named as the tensors are, such as
      ``{type: torch.nn.CrossEntropyLoss, inputs: {input: logits, target: pid}}``; ``part_feats.0`` is the first of the
      parts of a tensor (B, n, ...);
    * ``phase``: which step of an alternating trainer uses the loss. The trainer selects by it; the set ignores it.

    A parameter with a default is filled when a tensor has its name, and is required once ``inputs`` maps it. Where
    there are no tensors ``embeddings`` and ``labels``, the names of pytorch-metric-learning, these are ``feat`` and
    ``pid``. Floating tensors are cast to float32 and autocast is off inside, so a loss need not care about mixed
    precision. A loss of which one tensor has no rows, such as what a mask has left of a batch, is 0 and is not called:
    a mean over nothing would be NaN. A class that is not registered is given what nodes among its arguments describe,
    such as a distance.

    Args:
        nodes: the losses by name.
        gather: makes the whole batch from this process's share of it, along the first dimension and with gradient. Each
            tensor is gathered once, in the same order on every process. None where one process has the batch.
        given: ``num_classes`` and ``dim``, the embedding's size, for losses whose nodes leave them out: a constructor
            that requires them gets them, and one that calls them ``num_classes``, ``embedding_size``,
            ``embedding_dim``, ``feat_dim`` or ``descriptors_dim`` in any case. A constructor with ``**kwargs`` has the
            parameters of its base's, too.

    Attributes:
        losses: the modules by name.
        weights: the factors by name; a hook may change them.

    Raises:
        ConfigError: a node cannot be built, is not an ``nn.Module``, or ``inputs`` names a parameter it has not.
    """

    def __init__(
        self,
        nodes: Mapping[str, Mapping[str, Any]],
        gather: Callable[[Tensor], Tensor] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.gather = gather
        self.losses = nn.ModuleDict()
        self.weights: dict[str, float] = {}
        self._inputs: dict[str, list[_Input]] = {}
        self._dims: dict[str, dict[str, int]] = {}
        for name, node in nodes.items():
            if "." in name or hasattr(nn.ModuleDict, name):
                raise ConfigError(f"loss {name!r}: this name is taken or has a dot in it; call the loss something else")
            loss, sizes = _build(name, node, given or {})
            self.losses[name] = loss
            self._dims[name] = {key: size for key, size in sizes.items() if key != "num_classes"}
            self.weights[name] = _weight(name, node.get("weight", 1.0))
            self._inputs[name] = _find_inputs(name, loss, node.get("inputs", {}))

    @property
    def needs(self) -> set[str]:
        """The keys of the tensors without which ``forward`` fails."""
        return {item.key for inputs in self._inputs.values() for item in inputs if item.required}

    def inputs_of(self, name: str) -> dict[str, str]:
        """Return which tensor each parameter of a loss's ``forward`` takes: parameter -> key."""
        return {item.parameter: item.key for item in self._inputs[name]}

    def forward(self, tensors: Mapping[str, Tensor], whole: bool = False) -> dict[str, Tensor]:
        """Return each loss as a scalar times its weight.

        Args:
            tensors: what the batch and the model offer, each with the batch along its first dimension.
            whole: they are of the whole batch already, as where a trainer compares all images with one another; it has
                gathered the features itself, and nothing is gathered here.

        Raises:
            ConfigError: a tensor is missing or not of the size that a loss was given, or a loss returns something else
                than a scalar.
            UserError: a tensor has another shape in another process.
        """
        inputs = self._gather_inputs(tensors, None if whole else self.gather)
        results = {}
        for name, loss in self.losses.items():
            arguments = {item.parameter: inputs[item.key] for item in self._inputs[name] if item.key in inputs}
            if self._dims[name]:
                self._check_dims(name, arguments)
            device = next((value.device.type for value in arguments.values()), "cpu")
            with torch.autocast(device, enabled=False):
                value = _nothing(arguments) if _without_rows(arguments) else loss(**arguments)
            if not isinstance(value, Tensor) or value.dim() > 0:
                shown = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise ConfigError(
                    f"loss {name!r}: {type(loss).__name__} must return a scalar and returned {shown}; "
                    f"a loss of torch.nn does with `reduction: mean`"
                )
            results[name] = self.weights[name] * value
        return results

    def reset_classes(self, num_classes: int) -> None:
        """Tell the losses that have ``reset_classes`` that pseudo labels have changed the classes, and how many are.

        Raises:
            ConfigError: one says by ``num_classes`` how many it has, and cannot have another number of them.
        """
        for name, loss in self.losses.items():
            reset, has = getattr(loss, "reset_classes", None), getattr(loss, "num_classes", None)
            if callable(reset):
                reset(num_classes)
            elif isinstance(has, int) and has != num_classes:
                raise ConfigError(
                    f"loss {name!r}: {type(loss).__name__} has {has} classes, and the pseudo labels {num_classes}; it "
                    f"needs reset_classes(num_classes), as CenterLoss has"
                )

    def _gather_inputs(
        self, tensors: Mapping[str, Tensor], gather: Callable[[Tensor], Tensor] | None
    ) -> dict[str, Tensor]:
        """Return the tensors that the losses use, in float32 and from all processes."""
        taken: dict[str, Tensor] = {}
        for name, inputs in self._inputs.items():
            for item in inputs:
                value = _find(tensors, item.key)
                if item.key in taken or (value is None and not item.required):
                    continue
                if not isinstance(value, Tensor):
                    raise ConfigError(self._missing(name, item, tensors))
                taken[item.key] = value.float() if value.is_floating_point() else value
        if gather is None:
            return taken
        _check_shares(taken)
        return {key: gather(value) for key, value in taken.items()}

    def _check_dims(self, name: str, arguments: Mapping[str, Tensor]) -> None:
        """Check that a loss that was given the embedding's size takes a tensor of that size."""
        floating = {key: value for key, value in arguments.items() if value.is_floating_point()}
        for argument, dim in self._dims[name].items():
            if floating and not any(dim in value.shape[1:] for value in floating.values()):
                parameter, value = next(iter(floating.items()))
                own = f", or give the loss `{argument}: {value.shape[1]}`" if value.dim() == 2 else ""
                raise ConfigError(
                    f"loss {name!r}: {type(self.losses[name]).__name__} was given the embedding's size, {argument} "
                    f"{dim}, and its {parameter!r} has the shape {tuple(value.shape)}. Map it to a tensor of that "
                    f"size, `inputs: {{{parameter}: embedding}}`{own}"
                )

    def _missing(self, name: str, item: _Input, tensors: Mapping[str, Tensor]) -> str:
        offered = ", ".join(sorted(key for key, value in tensors.items() if isinstance(value, Tensor))) or "none"
        return (
            f"loss {name!r}: {type(self.losses[name]).__name__}.forward takes {item.parameter!r}, and there is no "
            f"tensor {item.key!r}. Tensors available: {offered}. Map the parameter to one of them with "
            f"`inputs: {{{item.parameter}: <tensor>}}`."
        )


def _without_rows(arguments: Mapping[str, Tensor]) -> bool:
    return any(value.dim() > 0 and not len(value) for value in arguments.values())


def _nothing(arguments: Mapping[str, Tensor]) -> Tensor:
    """Return 0 with a graph to the floating tensors, so that a step of nothing else can be taken."""
    floating = [value.reshape(-1)[:0].sum() for value in arguments.values() if value.is_floating_point()]
    return torch.stack(floating).sum() if floating else torch.zeros(())


def _check_shares(tensors: Mapping[str, Tensor]) -> None:
    """Check that every process has the same tensors of the same shapes for the losses.

    A collective of unequal ones waits for an hour, ends the process or mixes their numbers up, and says none of this.

    Raises:
        UserError: they differ; every process raises it.
    """
    mine = {key: f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}" for key, value in tensors.items()}
    if agreed(mine):
        return
    everyone = gather_objects(mine)
    key = next(key for theirs in everyone for key in theirs if len({each.get(key) for each in everyone}) > 1)
    shares = ", ".join(f"{each.get(key, 'none')} in process {number}" for number, each in enumerate(everyone))
    raise UserError(
        f"the losses' tensor {key!r} is not alike in all processes: {shares}. Each has to give as many rows of it in "
        f"every step; for rows that do not count, such as those that a mask leaves out, give a weight or a label that "
        f"says so, or train in one process"
    )


def _find(tensors: Mapping[str, Tensor], key: str) -> Tensor | None:
    """Return the tensor ``key``, or part i of the tensor NAME (B, n, ...) where the key is ``NAME.i``, else None."""
    name, _, part = key.rpartition(".")
    if key in tensors or not part.isdecimal():
        return tensors.get(key, tensors.get(SYNONYMS.get(key, key)))
    value = tensors.get(name)
    if not isinstance(value, Tensor) or value.dim() < 3 or int(part) >= value.shape[1]:
        return None
    return value[:, int(part)]


def _build(name: str, node: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[nn.Module, dict[str, int]]:
    """Build a loss; return it with the sizes among its arguments that it was given."""
    if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
        raise ConfigError(f"loss {name!r}: expected an entry with a 'type', got {node!r}")
    cls = LOSS.get(node["type"])
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
        raise ConfigError(
            f"loss {name!r}: {node['type']} is not a class derived from torch.nn.Module; wrap a function in one"
        )
    filled = {}
    for key, parameter in _parameters(cls).items():
        meaning = SIZES.get(key, key if parameter.default is parameter.empty else "")
        if meaning in given and key not in node:
            filled[key] = given[meaning]
    if filled.get("num_classes") == 0 and not hasattr(cls, "reset_classes"):
        raise ConfigError(
            f"loss {name!r}: {cls.__name__} has weights of each class, and the classes change with the pseudo labels; "
            f"it needs reset_classes(num_classes), as CenterLoss has"
        )
    arguments = {key: value for key, value in node.items() if key not in RESERVED}
    try:
        if cls not in LOSS.module_dict.values():
            arguments = {key: _built(value) for key, value in arguments.items()}
        return LOSS.build({**filled, **arguments}), filled
    except ConfigError as error:
        raise ConfigError(f"loss {name!r}: {error}") from None


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a constructor by name, and of its bases' as far as ``**kwargs`` hands them on."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            own = inspect.signature(vars(base)["__init__"]).parameters
            found = {**own, **found}
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values()):
                break
    return found


def _built(value: Any) -> Any:
    """Return an argument of a class that knows no nodes, with the nodes in it built: a distance, a miner, a loss."""
    if isinstance(value, Mapping) and "type" in value:
        return LOSS.build({key: _built(each) for key, each in value.items()})
    return [_built(each) for each in value] if isinstance(value, list) else value


def _weight(name: str, weight: Any) -> float:
    check(f"loss {name!r}", number(0), weight=weight)
    return float(weight)


def _find_inputs(name: str, loss: nn.Module, mapping: Mapping[str, str]) -> list[_Input]:
    check(f"loss {name!r}", mapping_of(TEXT), inputs=mapping)
    parameters = inspect.signature(loss.forward).parameters.values()
    named = [item for item in parameters if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)]
    names = [item.name for item in named]
    unknown = [key for key in mapping if key not in names]
    # A forward with **kwargs takes any name.
    if unknown and not any(item.kind is item.VAR_KEYWORD for item in parameters):
        raise ConfigError(
            f"loss {name!r}: {type(loss).__name__}.forward has no parameter {', '.join(unknown)}; "
            f"it has: {', '.join(names)}"
        )
    inputs = [_Input(p.name, mapping.get(p.name, p.name), p.name in mapping or p.default is p.empty) for p in named]
    inputs += [_Input(key, mapping[key], True) for key in unknown]
    if not inputs:
        raise ConfigError(
            f"loss {name!r}: {type(loss).__name__}.forward names no tensors; say which with "
            f"`inputs: {{<parameter>: <tensor>}}`"
        )
    return inputs
