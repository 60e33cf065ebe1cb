"""The base of hooks: their events, and how a run's hooks are built and ordered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from reidzoo.engine.runner import Runner
from reidzoo.registry import HOOK

__all__ = ["Hook", "build_hooks"]


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


_MMENGINE_PRIORITIES = {
    "HIGHEST": 0, "VERY_HIGH": 10, "HIGH": 30, "ABOVE_NORMAL": 40, "NORMAL": 50, "BELOW_NORMAL": 60, "LOW": 70,
    "VERY_LOW": 90, "LOWEST": 100,
}  # fmt: skip


def build_hooks(nodes: Mapping[str, Mapping]) -> dict[str, Any]:
    """Build the named hooks, ordered by priority and, where that is equal, as the configuration lists them."""
    hooks = {name: HOOK.build(node) for name, node in nodes.items()}
    return dict(sorted(hooks.items(), key=lambda item: _priority(item[1])))


def _priority(hook: Any) -> int:
    priority = getattr(hook, "priority", 50)
    return _MMENGINE_PRIORITIES.get(priority, 50) if isinstance(priority, str) else int(priority)
