"""Assigns the parameters of losses, such as centres or a margin softmax's class vectors, to optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reidzoo.errors import ConfigError
from reidzoo.losses import LossSet

__all__ = ["place_loss_parameters"]


def place_loss_parameters(
    nodes: Mapping[str, Mapping[str, Any]], phases: Mapping[str, LossSet], optimizers_of: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """Return the nodes of OPTIMIZERS with an optimizer for each loss's parameters, and which go along with which.

    A loss's parameters are moved by the optimizer whose ``params`` name them; else by the one that is called as the
    loss, which takes its steps along with the optimizer of the loss's phase; else by that of the phase itself.

    Args:
        nodes: optimizer name -> its node.
        phases: phase -> its losses, which are the trainer's part ``losses``.
        optimizers_of: phase -> names of optimizers that minimise its losses, where none has the phase's name.

    Returns:
        The nodes, and optimizers of losses: name -> that of the phase.

    Raises:
        ConfigError: an optimizer is called as losses of two phases, or as one of a phase that no optimizer minimises.
    """
    placed, along = dict(nodes), dict[str, str]()
    named = [prefix for node in nodes.values() for prefix in node.get("params", ())]
    for phase, losses in phases.items():
        main = next((each for each in (phase, *optimizers_of.get(phase, ())) if each in nodes), "")
        for name, loss in losses.losses.items():
            place = f"losses.{phase}.losses.{name}"
            if not any(True for _ in loss.parameters()) or any(_covers(prefix, place) for prefix in named):
                continue
            if name in nodes and name != main and "params" not in nodes[name]:
                if name in along:
                    raise ConfigError(f"OPTIMIZERS.{name}: two phases have a loss {name!r}; call one something else")
                if not main:
                    raise ConfigError(
                        f"OPTIMIZERS.{name} would move the loss {name!r} along with the optimizer of its phase, and "
                        f"there is none for phase {phase!r}; add it, or take the loss out"
                    )
                placed[name], along[name] = {**nodes[name], "params": [place]}, main
            elif main:
                before = placed[main].get("params", [main])
                placed[main] = {**placed[main], "params": [*before, place]}
    return placed, along


def _covers(prefix: str, place: str) -> bool:
    """Return whether ``prefix`` names a loss, what holds it, or something within it."""
    return f"{place}.".startswith(f"{prefix}.") or f"{prefix}.".startswith(f"{place}.")
