"""The base of hooks: their events, and how a run's hooks are built and ordered."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.registry import HOOK
from reidzoo.suggest import closest

__all__ = ["EVENTS", "Hook", "build_hooks", "order_hooks"]


RunnerType = TypeVar("RunnerType", bound=Runner)


class Hook(Generic[RunnerType]):
    """Acts on the events around the training steps. They carry mmengine's names and signatures.

    mmengine's own hooks do not run here as they are: most of them expect attributes of its ``Runner``, which
    ``Trainer`` does not have, and there are no events of validation and test.

    ``priority`` orders the hooks, smallest first. ``save_point`` is ours: it is called after each step and after each
    epoch once every other hook has acted, the only moments at which the trainer's state is whole.
    A hook with a state gives it by ``state_dict`` and takes it by ``load_state_dict``, plain values and tensors only.
    One that only a certain trainer can have may tell type checkers so: ``class MyHook(Hook[MyTrainer])``.
    """

    priority = 50

    def before_train(self, runner: RunnerType) -> None:
        """Act before the first epoch, and again when a run is resumed."""

    def after_train(self, runner: RunnerType) -> None:
        """Act after the last epoch."""

    def before_train_epoch(self, runner: RunnerType) -> None:
        """Act before an epoch's first step; not again when the epoch is resumed half-way."""

    def after_train_epoch(self, runner: RunnerType) -> None:
        """Act after an epoch's last step."""

    def before_train_iter(self, runner: RunnerType, batch_idx: int, data_batch: Any = None) -> None:
        """Act before a step."""

    def after_train_iter(self, runner: RunnerType, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Act after a step."""

    def save_point(self, runner: RunnerType) -> None:
        """Act when the trainer's state is whole."""

    def rehearse(self, runner: RunnerType) -> None:
        """Act in the dry run before a run's first step, on a trainer of its own that is thrown away.

        Check what the hook needs of the trainer, and bring about what steps need of the hook, such as labels, from
        made-up numbers: no image is read, and nothing outside of ``runner`` changes. No other event takes place there.
        """


EVENTS = tuple(name for name, value in vars(Hook).items() if inspect.isfunction(value))
"""The names of the moments at which hooks are called."""

_ARGUMENTS = {
    "before_train_iter": ("batch_idx", "data_batch"),
    "after_train_iter": ("batch_idx", "data_batch", "outputs"),
}
"""What events are given by name, after the runner."""
_NOT_HERE = re.compile(r"(before|after)_(run|(val|test)(_epoch|_iter)?)|before_save_checkpoint|after_load_checkpoint")
"""Events of mmengine's that do not happen here; a hook written for both may have them."""
_MMENGINE_PRIORITIES = {
    "HIGHEST": 0, "VERY_HIGH": 10, "HIGH": 30, "ABOVE_NORMAL": 40, "NORMAL": 50, "BELOW_NORMAL": 60, "LOW": 70,
    "VERY_LOW": 90, "LOWEST": 100,
}  # fmt: skip


def build_hooks(nodes: Mapping[str, Mapping]) -> dict[str, Any]:
    """Build the named hooks, ordered by priority and, where that is equal, as the configuration lists them.

    Raises:
        ConfigError: a node is wrong, or its hook could not be called: a method has almost an event's name, or not its
            arguments.
    """
    return order_hooks({name: _build(name, node) for name, node in nodes.items()})


def _build(name: str, node: Mapping) -> Any:
    try:
        return HOOK.build(node)
    except ConfigError as error:
        raise ConfigError(f"HOOKS.{name}: {str(error).removeprefix('HOOKS: ').removeprefix('HOOK: ')}") from error


def order_hooks(hooks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the named hooks ordered by priority and, where that is equal, as they are given.

    Raises:
        ConfigError: as ``build_hooks`` does.
    """
    for name, hook in hooks.items():
        _check_events(name, hook)
        _check_arguments(name, hook)
    return dict(sorted(hooks.items(), key=lambda item: _priority(item[1])))


def _check_events(name: str, hook: Any) -> None:
    """Raise ConfigError for a method that is named like an event and is none, so that it would never be called."""
    for method in dir(hook):
        if method in EVENTS or method.startswith("_") or _NOT_HERE.fullmatch(method):
            continue
        named_like_one = method.startswith(("before_", "after_"))
        meant = closest(method, EVENTS, cutoff=0.75 if named_like_one else 0.85)
        if (meant or named_like_one) and callable(getattr(hook, method)):
            raise ConfigError(
                f"HOOKS.{name}: {type(hook).__name__}.{method} is never called{f'; {meant} is' if meant else ''}. The "
                f"events are {', '.join(EVENTS)}; a method that is none of them has another name"
            )


def _check_arguments(name: str, hook: Any) -> None:
    """Raise ConfigError for an event's method that does not take what the event is given."""
    for event in EVENTS:
        method = getattr(hook, event, None)
        if method is None:
            continue
        given = _ARGUMENTS.get(event, ())
        try:
            inspect.signature(method).bind(hook, **dict.fromkeys(given))
        except TypeError as error:
            call = ", ".join(["runner", *(f"{key}=..." for key in given)])
            raise ConfigError(
                f"HOOKS.{name}: {type(hook).__name__}.{event}{inspect.signature(method)} is called as {event}({call}), "
                f"which it does not take: {error}"
            ) from error


def _priority(hook: Any) -> int:
    priority = getattr(hook, "priority", 50)
    if isinstance(priority, str):
        priority = _MMENGINE_PRIORITIES.get(priority.upper(), priority)
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise ConfigError(
            f"HOOKS: {type(hook).__name__} has the priority {priority!r}; it is a whole number, or one of "
            f"{', '.join(_MMENGINE_PRIORITIES)}"
        )
    return priority
