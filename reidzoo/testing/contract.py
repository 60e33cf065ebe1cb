"""A registry's contract while one part is held against it."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from numbers import Integral
from typing import Any

import numpy as np
import torch

from reidzoo.engine.seed import kept_random_state
from reidzoo.registry import Registry

__all__ = ["Contract", "ContractError"]

GENERATORS: dict[str, Callable[[], bytes]] = {
    "torch": lambda: torch.get_rng_state().numpy().tobytes(),
    "numpy": lambda: pickle.dumps(np.random.get_state()),
    "random": lambda: pickle.dumps(random.getstate()),
}
"""The global random generators, by the module that they belong to, and how to read their states."""


class ContractError(AssertionError):
    """A part that breaks the contract of its registry; the message says which clause, and how."""


class Contract:
    """The contract of a registry while one part is held against it; a context within which global seeds are fixed.

    Args:
        registry: whose contract.
        part: a node of the registry or a registered name; a class or another callable that builds the part; or the
            part itself, of which copies are checked.
    """

    def __init__(self, registry: Registry, part: Any) -> None:
        self.registry, self.part = registry, {"type": part} if isinstance(part, str) else part
        self.can_build = isinstance(self.part, Mapping) or _is_constructor(part)
        self.name = _name(self.part)

    def __enter__(self) -> Contract:
        self._kept = ExitStack()
        self._kept.enter_context(kept_random_state())
        self.seed(0)
        return self

    def __exit__(self, *error: object) -> None:
        self._kept.close()

    def build(self, seed: int = 0, **given: Any) -> Any:
        """Return the part, built with the arguments ``given`` that the framework supplies, or a copy of it.

        Args:
            seed: of the global generators, which weights are drawn from.
            **given: they win over the node's.
        """
        self.seed(seed)
        shown = {name: repr(value) if isinstance(value, str | int) else "..." for name, value in given.items()}
        named = ", ".join(f"{name}={value}" for name, value in shown.items())
        with self.clause(f"it is built with ({named})" if named else "it can be built"):
            if isinstance(self.part, Mapping):
                node = {key: value for key, value in self.part.items() if key not in given}
                return self.registry.build(node, **given)
            return self.part(**given) if self.can_build else copy.deepcopy(self.part)

    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Return the parameters of the part's constructor by name, none for a part that is built already."""
        if not self.can_build:
            return {}
        made_by = self.registry.get(self.part["type"]) if isinstance(self.part, Mapping) else self.part
        return inspect.signature(made_by).parameters

    def require(self, holds: bool, clause: str, found: str = "") -> None:
        """Raise ContractError unless ``clause`` holds; ``found`` says what is the case instead."""
        if not holds:
            raise ContractError(
                f"{self.registry.name}: {self.name} breaks its contract: {clause}{found and '; '}{found}"
            )

    def whole_number(self, part: Any, name: str, meaning: str) -> int:
        """Return the attribute ``name``, which has to be a whole number."""
        value = getattr(part, name, None)
        self.require(isinstance(value, Integral), f"{name} is {meaning}", f"it is {value!r}")
        return int(value or 0)

    @contextmanager
    def clause(self, clause: str) -> Iterator[None]:
        """Make any exception within a breach of ``clause``."""
        try:
            yield
        except ContractError:
            raise
        except Exception as error:
            message = f"{self.registry.name}: {self.name} breaks its contract: {clause}"
            raise ContractError(f"{message}; {type(error).__name__}: {error}") from error

    @contextmanager
    def no_draws(self, clause: str, *modules: str) -> Iterator[None]:
        """Require that the global generators of ``modules``, of all by default, stand where they stood."""
        chosen = {name: GENERATORS[name] for name in modules or GENERATORS}
        before = {name: state() for name, state in chosen.items()}
        yield
        moved = [name for name, state in chosen.items() if state() != before[name]]
        self.require(not moved, clause, f"it drew from the global generator of {', '.join(moved)}")

    @staticmethod
    def seed(seed: int) -> None:
        """Seed every global generator."""
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)


def _is_constructor(part: Any) -> bool:
    return inspect.isclass(part) or inspect.isfunction(part) or isinstance(part, functools.partial)


def _name(part: Any) -> str:
    if isinstance(part, Mapping):
        return str(part.get("type", "the part"))
    part = part.func if isinstance(part, functools.partial) else part
    return getattr(part, "__name__", type(part).__name__)
