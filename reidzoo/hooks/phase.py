"""Hooks that assign the trainer's phase, and the only ones that may: by epoch, by iteration or by a metric."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from reidzoo.checks import TEXT, check, each, either, mapping_of, number, whole
from reidzoo.distributed import is_main
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["EpochPhaseHook", "IterationPhaseHook", "ThresholdPhaseHook"]

logger = logging.getLogger("reidzoo")


class _PhaseHook(Hook):
    priority = 10

    def phases(self) -> Sequence[str]:
        raise NotImplementedError

    def before_train(self, runner: Runner) -> None:
        """Check that the trainer has a step for each phase, and what the step needs."""
        for phase in self.phases():
            runner.check_phase(phase)


@HOOK.register_module()
class EpochPhaseHook(_PhaseHook):
    """Goes through ``order``, one phase an epoch, over and over (DomainMix's Algorithm 1)."""

    def __init__(self, order: Sequence[str]) -> None:
        check(self, each(TEXT, least=1), order=order)
        self.order = list(order)

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        return self.order

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Assign the epoch's phase."""
        runner.phase = self.order[runner.epoch % len(self.order)]


@HOOK.register_module()
class IterationPhaseHook(_PhaseHook):
    """Gives each phase its number of steps in turn: ``{discriminator: 1, model: 9}``, counted from each epoch's start.

    Args:
        steps: phase -> steps, 0 or more.
        begin_epoch: until then the phase is ``before``.
        before: the phase of the epochs before ``begin_epoch``.
    """

    def __init__(self, steps: Mapping[str, int], begin_epoch: int = 0, before: str = "model") -> None:
        check(self, mapping_of(whole(0, 10**6)), steps=steps)
        check(self, whole(0), begin_epoch=begin_epoch)
        check(self, TEXT, before=before)
        self.cycle = [phase for phase, count in steps.items() for _ in range(count)]
        self.begin_epoch, self.before = begin_epoch, before
        if not self.cycle:
            raise ConfigError("HOOKS: IterationPhaseHook needs steps, for example {discriminator: 1, model: 9}")

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        before = [self.before] if self.begin_epoch > 0 else []
        return [*dict.fromkeys([*before, *self.cycle])]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Assign the step's phase."""
        begun = runner.epoch >= self.begin_epoch
        runner.phase = self.cycle[batch_idx % len(self.cycle)] if begun else self.before


@HOOK.register_module()
class ThresholdPhaseHook(_PhaseHook):
    """Changes phase when a validation metric crosses a threshold; metrics come from the evaluation on a validation set.

    Args:
        start: the first phase.
        rules: phase -> list of ``{metric: "target/mAP", above: x | below: x, next: phase}``; the first that holds after
            an epoch decides the next one.

    Every change is logged with the value that caused it, and kept in ``history``.
    """

    priority = 45  # after the evaluation, before the log, which takes the metrics away

    def __init__(self, start: str, rules: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        check(self, TEXT, start=start)
        check(self, mapping_of(each(mapping_of(either(TEXT, number())))), rules=rules)
        self.phase, self.rules = start, {phase: list(map(dict, listed)) for phase, listed in rules.items()}
        self.history: list[dict[str, Any]] = []
        for rule in (rule for listed in self.rules.values() for rule in listed):
            if not {"metric", "next"} <= set(rule) or ("above" in rule) == ("below" in rule):
                raise ConfigError(f"HOOKS: a rule needs metric, next, and one of above and below; got {rule}")

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        return [*dict.fromkeys([self.phase, *self.rules, *(r["next"] for g in self.rules.values() for r in g)])]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Assign the phase that the rules have come to."""
        runner.phase = self.phase

    def after_train_epoch(self, runner: Runner) -> None:
        """Apply the first rule of the current phase that holds."""
        for rule in self.rules.get(self.phase, []):
            value = self._value(runner, rule["metric"])
            if value > rule["above"] if "above" in rule else value < rule["below"]:
                change = {"epoch": runner.epoch + 1, "from": self.phase, "to": rule["next"], rule["metric"]: value}
                self.history.append(change)
                self.phase = rule["next"]
                if is_main():
                    logger.info("phase %(from)s -> %(to)s after epoch %(epoch)d", change)
                return

    @staticmethod
    def _value(runner: Runner, metric: str) -> float:
        target, _, key = metric.rpartition("/")
        try:
            return float(runner.metrics[target][key])
        except KeyError:
            known = [f"{target}/{key}" for target, values in runner.metrics.items() for key in values]
            raise ConfigError(
                f"HOOKS: ThresholdPhaseHook waits for the metric {metric!r}, but the last evaluation gave "
                f"{known or 'nothing'}; set TEST.EVAL_PERIOD 1 and name a validation set in DATASETS.TESTS"
            ) from None

    def state_dict(self) -> dict[str, Any]:
        """Return the phase and the changes so far."""
        return {"phase": self.phase, "history": self.history}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the phase and the changes of a checkpoint."""
        self.phase, self.history = state["phase"], list(state["history"])
