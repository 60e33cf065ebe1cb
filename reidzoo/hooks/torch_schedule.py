"""Any scheduler of ``torch.optim.lr_scheduler``."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from reidzoo.checks import NODE, check, one_of
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.schedule import WarmUp
from reidzoo.registry import HOOK, MISFITS, Registry, describe

__all__ = ["StandIn", "TorchSchedule"]


SCHEDULER = Registry("HOOKS: TorchSchedule")
"""Looks up classes of other packages than torch; nothing is registered."""


class StandIn(torch.optim.Optimizer):
    """An optimizer that moves nothing, for a scheduler to set the rates of.

    Args:
        groups: the settings of each group of parameters, ``lr`` and whatever else, without parameters.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        super().__init__([{**group, "params": [nn.Parameter(torch.zeros(1))]} for group in groups], dict(groups[0]))

    def step(self, closure: Any = None) -> Any:
        """Do nothing; schedulers wait for a first step."""


@HOOK.register_module()
class TorchSchedule(WarmUp):
    """Sets learning rates as a scheduler of torch does, at the rates that are configured.

    The scheduler moves an optimizer that stands in for ours, group by group, and what it makes of the learning rate,
    the momentum and the betas is copied. It has no state: in a resumed run it takes its steps once more, from the first
    on, so that what it says is a function of the iteration, as with all schedules.

    Args:
        scheduler: ``{type: StepLR, step_size: 20}``, a class of ``torch.optim.lr_scheduler`` or a dotted name, with its
            arguments, in lower case. Learning rates in them, such as ``eta_min`` and ``max_lr``, are absolute. What
            takes schedulers itself, such as ``SequentialLR``, has a list of such entries. ``ReduceLROnPlateau`` is
            ``PlateauSchedule``.
        interval: ``epoch`` or ``step``: after what the scheduler takes a step, and its arguments count.
        **warmup: as ``WarmUp`` takes it.

    Raises:
        ConfigError: there is no such scheduler; when training begins, it does not take its arguments, or fails.
    """

    def __init__(self, scheduler: Mapping[str, Any], interval: str = "epoch", **warmup: Any) -> None:
        super().__init__(**warmup)
        check(self, NODE, scheduler=scheduler)
        check(self, one_of("epoch", "step"), interval=interval)
        self.scheduler, self.interval = scheduler, interval
        _scheduler_class(scheduler["type"])
        self._moved: dict[str, tuple[Sequence[Mapping[str, Any]], StandIn, LRScheduler]] = {}
        self._steps: dict[str, int] = {}

    def rehearse(self, runner: Runner) -> None:
        """Build the scheduler of each optimizer, and let it say the first rate and, if it counts epochs, the last."""
        self.before_train(runner)
        last = runner.max_epochs - 1 if self.interval == "epoch" else 0
        for name in self.optimizers or runner.optims:
            self._groups(name, runner.optims[name].configured, last)

    def set_rates(self, runner: Runner, name: str, epoch: float, warm: float) -> None:
        """Set the rates and the momentum to what the scheduler says, the rates times ``warm``."""
        optim = runner.optims[name]
        steps = int(epoch) if self.interval == "epoch" else runner.iter
        optim.set_groups(self._groups(name, optim.configured, steps), warm)

    def _groups(self, name: str, configured: Sequence[Mapping[str, Any]], steps: int) -> Sequence[Mapping[str, Any]]:
        """Return what the scheduler makes of the configured groups of an optimizer in so many steps."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns of an order of calls that has no meaning here
                if name not in self._moved or self._moved[name][0] != configured or self._steps[name] > steps:
                    stand_in = StandIn(configured)
                    stand_in.step()
                    self._moved[name] = (configured, stand_in, _build(self.scheduler, stand_in))
                    self._steps[name] = 0
                _, stand_in, scheduler = self._moved[name]
                for _ in range(steps - self._steps[name]):
                    scheduler.step()
                    self._steps[name] += 1
        except MISFITS as error:
            cls, done = _scheduler_class(self.scheduler["type"]), self._steps.get(name, 0)
            raise ConfigError(
                f"HOOKS: TorchSchedule: {describe(cls)} fails for the optimizer {name!r}, "
                f"{f'after {done} of {steps} steps' if done else 'with these arguments'}: {error}"
            ) from error
        return stand_in.param_groups


def _build(node: Mapping[str, Any], stand_in: StandIn) -> LRScheduler:
    """Build a scheduler, and first those that its arguments describe."""
    cls = _scheduler_class(node["type"])
    names = {name.lower(): name for name in inspect.signature(cls).parameters}  # T_max is t_max in a file
    arguments = {names.get(key, key): _built(value, stand_in) for key, value in node.items() if key != "type"}
    return cls(optimizer=stand_in, **arguments)


def _built(value: Any, stand_in: StandIn) -> Any:
    if isinstance(value, Mapping) and "type" in value:
        return _build(value, stand_in)
    return [_built(each, stand_in) for each in value] if isinstance(value, list | tuple) else value


def _scheduler_class(kind: str) -> type[LRScheduler]:
    """Return the class that ``kind`` names, one of torch's by its own name.

    Raises:
        ConfigError: it names none, or none that goes by the number of steps alone.
    """
    place, _, last = kind.rpartition(".")
    cls = SCHEDULER.get(kind) if place and place != lr_scheduler.__name__ else getattr(lr_scheduler, last, None)
    if not (isinstance(cls, type) and issubclass(cls, LRScheduler)) or cls is LRScheduler:
        raise ConfigError(f"HOOKS: TorchSchedule: {kind!r} is not a scheduler; torch has {', '.join(_of_torch())}")
    if issubclass(cls, ReduceLROnPlateau):
        raise ConfigError(f"HOOKS: TorchSchedule: {last} needs a figure to go by; use {{type: PlateauSchedule}}")
    return cls


def _of_torch() -> list[str]:
    classes = [value for value in vars(lr_scheduler).values() if isinstance(value, type)]
    return sorted(cls.__name__ for cls in classes if LRScheduler in cls.__bases__ and cls.__name__[0] != "_")
