"""Alternation of phases by thresholds on measures of held-out images, with a record of every decision."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch

from reidzoo.checks import NODE, PROBABILITY, TEXT, check, each, mapping_of, number, optional, whole
from reidzoo.datasets import Dataset, build_dataset
from reidzoo.datasets.nodes import check_node
from reidzoo.distributed import broadcast_object, is_main
from reidzoo.engine.runner import Runner
from reidzoo.engine.seed import seed_of
from reidzoo.errors import ConfigError
from reidzoo.files import write_text
from reidzoo.hooks.held_out import held_out_part
from reidzoo.hooks.hook import Hook
from reidzoo.hooks.timeline import timeline_plot
from reidzoo.random_streams import TRAINING, random_generator
from reidzoo.registry import HOOK, SWITCH_RULE

__all__ = ["AlternationHook"]

logger = logging.getLogger("reidzoo")


@runtime_checkable
class _Measuring(Protocol):
    """A trainer whose phases can be decided by measures; its ``measures``, where it has them, are their names."""

    def validator(self, dataset: Dataset) -> Callable[[], Mapping[str, float]]:
        """Return a function that measures the present parts on a dataset's training images, names to numbers."""


@HOOK.register_module()
class AlternationHook(Hook):
    """Alternates phases by thresholds: after each action, what the trainer measures decides on the next one.

    An *action* is a list of phases, each a *turn* that takes one of the trainer's epochs, as many steps long as is said
    here. After every turn the measures are taken, after an action's last one the ``rule`` decides. They are those of
    the trainer's method ``validator(dataset)``, on images held out of the training; the test sets have no part in it.
    SOLVER.MAX_EPOCHS is an upper bound of the number of turns.

    An optimizer is new at each turn of its phase, and its learning rate falls within it, unless the phase is
    ``lasting``; a phase without an optimizer of its name may use any. ``alternation.json`` has every decision with the
    measures and thresholds that caused it, and ``alternation.svg`` draws them.

    Args:
        rule: node of a SWITCH_RULE: what decides.
        turns: action -> its phases, in order.
        epochs: phase -> length of its turns, in epochs of SOLVER.ITERS_PER_EPOCH steps (0: passes over the data); 1
            where neither this nor ``steps`` names it.
        steps: phase -> length of its turns in steps.
        decay_at: after this share of a turn its learning rate is multiplied by ``decay_factor``.
        decay_factor: see there.
        lasting: phases whose optimizers live through the run, momentum and all -> after how many turns the learning
            rate is multiplied by ``decay_factor``, again and again; 0 for never.
        resets: action -> what is reset before its first turn: ``heads`` calls the trainer's ``reset_heads(generator)``.
        validation: node of the dataset whose training images are measured. None takes that of the training set, with
            ``part: val`` where a wrapper in it has ``part: train``.

    Raises:
        ConfigError: an argument is wrong; the trainer lacks a phase or cannot measure; images are not held out.
    """

    priority = 10

    def __init__(
        self,
        rule: Mapping[str, Any],
        turns: Mapping[str, Sequence[str]],
        epochs: Mapping[str, float] | None = None,
        steps: Mapping[str, int] | None = None,
        decay_at: float = 2 / 3,
        decay_factor: float = 0.1,
        lasting: Mapping[str, int] | None = None,
        resets: Mapping[str, str] | None = None,
        validation: Mapping[str, Any] | None = None,
    ) -> None:
        check(self, NODE, rule=rule)
        check(self, mapping_of(each(TEXT, least=1), least=1), turns=turns)
        check(self, optional(mapping_of(number(above=0))), epochs=epochs)
        check(self, optional(mapping_of(whole(1, 10**6))), steps=steps)
        check(self, PROBABILITY, decay_at=decay_at, decay_factor=decay_factor)
        check(self, optional(mapping_of(whole(0))), lasting=lasting)
        check(self, optional(mapping_of(TEXT)), resets=resets)
        if validation is not None:
            check_node(self, validation=validation)
        self.rule = SWITCH_RULE.build(rule)
        self.rule_node, self.node = dict(rule), validation
        self.turns = {action: list(phases) for action, phases in turns.items()}
        self.epochs, self.steps = dict(epochs or {}), dict(steps or {})
        self.decay_at, self.decay_factor = decay_at, decay_factor
        self.lasting, self.resets = dict(lasting or {}), dict(resets or {})
        self._check_names()
        self.action = "begin"
        self.coming: list[str] = []
        self.switches: list[dict[str, Any]] = []
        self.timeline: list[dict[str, Any]] = []

    def _check_names(self) -> None:
        """Check that arguments name actions and phases that there are."""
        if lacking := [action for action in self.rule.actions if action not in self.turns]:
            raise ConfigError(
                f"HOOKS: AlternationHook: {type(self.rule).__name__} may decide on {', '.join(lacking)}, which turns "
                f"does not have; it has {', '.join(self.turns)}"
            )
        phases = self.phases()
        for argument, known in (("epochs", phases), ("steps", phases), ("lasting", phases), ("resets", self.turns)):
            if strange := [name for name in getattr(self, argument) if name not in known]:
                raise ConfigError(
                    f"HOOKS: AlternationHook: {argument} names {', '.join(strange)}; there are {', '.join(known)}"
                )
        if twice := self.epochs.keys() & self.steps.keys():
            raise ConfigError(f"HOOKS: AlternationHook: give epochs or steps of {', '.join(sorted(twice))}, not both")

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        return list(dict.fromkeys(phase for phases in self.turns.values() for phase in phases))

    # ---- events -----------------------------------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Check the trainer, and take the measures to begin from; a resumed run has them."""
        self.rehearse(runner)
        runner.loader.iters = runner.cfg.SOLVER.ITERS_PER_EPOCH
        runner.loader.plan(runner.epoch)
        self.epoch_length = runner.loader.length
        if not self.timeline:
            measured = self._measure(runner, "", 0)
            self._check_measures(runner, measured)
            self.rule.begin(measured)
            self._decide(runner, measured)
        self._set_length(runner)
        if not self.coming:
            runner.max_epochs = runner.epoch

    def rehearse(self, runner: Runner) -> None:
        """Check the trainer and the rule, and that validation images are held out."""
        self._check_trainer(runner)
        self.measure = self._build_validator(runner)
        if names := getattr(runner, "measures", ()):
            self._check_measures(runner, names)
        self.rule.rehearse()
        self._check_names()  # of actions that the rule has only now

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin a turn."""
        if self.action in self.resets and self.coming == self.turns[self.action]:
            draw = random_generator(TRAINING, seed=seed_of(runner.cfg), epoch=runner.epoch)
            generator = torch.Generator().manual_seed(int(draw.integers(2**62)))
            getattr(runner, f"reset_{self.resets[self.action]}")(generator)
        before = runner.optims
        runner.renew_optimizers(keep=False)
        for phase in self.lasting:
            runner.optims[phase].take_over(before[phase])
        self._set_length(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Assign the turn's phase and its learning rate."""
        runner.phase = phase = self.coming[0]
        if phase in self.lasting:
            done = sum(point["phase"] == phase for point in self.timeline)
            decays = done // self.lasting[phase] if self.lasting[phase] else 0
        else:
            decays = int(batch_idx >= self.decay_at * runner.loader.length)
        for optim in [runner.optims[phase]] if phase in runner.optims else runner.optims.values():
            optim.scale_lr(self.decay_factor**decays)

    def after_train_epoch(self, runner: Runner) -> None:
        """End a turn: measure and, where it was an action's last, decide."""
        measured = self._measure(runner, self.coming.pop(0), runner.epoch + 1)
        if not self.coming:
            self._decide(runner, measured)
        if not self.coming:
            runner.max_epochs = runner.epoch + 1
        elif runner.epoch + 1 >= runner.max_epochs:
            logger.warning("SOLVER.MAX_EPOCHS ends the alternation at action %d", len(self.switches))
        if is_main():
            write_text(runner.output_dir / "alternation.json", json.dumps(self.record(), indent=1) + "\n")
            write_text(runner.output_dir / "alternation.svg", timeline_plot(self.record()))

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _check_trainer(self, runner: Runner) -> None:
        for phase in self.phases():
            runner.check_phase(phase)
        for phase in self.lasting:
            if phase not in runner.optims:
                raise ConfigError(f"HOOKS: AlternationHook: lasting names {phase}, and there is no OPTIMIZERS.{phase}")
        for what in self.resets.values():
            if not hasattr(runner, f"reset_{what}"):
                raise ConfigError(f"HOOKS: AlternationHook: {type(runner).__name__} has no method reset_{what}")

    def _check_measures(self, runner: Runner, names: Collection[str]) -> None:
        if lacking := [name for name in self.rule.measures if name not in names]:
            raise ConfigError(
                f"HOOKS: AlternationHook: {type(self.rule).__name__} decides by {', '.join(lacking)}, and "
                f"{type(runner).__name__} measures {', '.join(names)}"
            )

    def _build_validator(self, runner: Runner) -> Callable[[], Mapping[str, float]]:
        """Return what measures, on images that are neither trained on nor tested on."""
        if not isinstance(runner, _Measuring):
            raise ConfigError(f"HOOKS: AlternationHook: {type(runner).__name__} has no validator(dataset)")
        data = runner.cfg.DATASETS
        dataset = build_dataset(self.node or held_out_part(self, data.TRAIN, "HoldOut"), root=data.ROOT)
        held = {record.path for record in dataset.train}
        trained = held & {path for train in runner.sets.values() for path in train.paths}
        tests = (build_dataset(test, root=data.ROOT) for test in data.TESTS)
        tested = held & {record.path for test in tests for record in (*test.query, *test.gallery)}
        if not held or trained or tested:
            raise ConfigError(
                f"HOOKS: AlternationHook: validation images must be held out; of its {len(held)}, {len(trained)} are "
                f"trained on and {len(tested)} are in DATASETS.TESTS. Train on {{type: HoldOut, dataset: D, part: "
                f"train}} and validate on the same with part: val"
            )
        return runner.validator(dataset)

    def _set_length(self, runner: Runner) -> None:
        """Make the coming epoch as long as its turn."""
        if not self.coming:
            return
        phase = self.coming[0]
        steps = self.steps.get(phase) or max(round(self.epochs.get(phase, 1) * self.epoch_length), 1)
        runner.loader.iters = runner.loader.length = steps

    def _measure(self, runner: Runner, phase: str, epoch: int) -> dict[str, float]:
        measured = broadcast_object(dict(self.measure()))  # what is decided by must be the same on every process
        moment = {"epoch": epoch, "iter": runner.iter, "number": len(self.switches), "phase": phase}
        self.timeline.append({**moment, "measured": measured})
        return measured

    def _decide(self, runner: Runner, measured: Mapping[str, float]) -> None:
        """Decide the next action and note down why."""
        before, self.action = self.action, self.rule.decide(measured)
        if self.action != "end" and self.action not in self.turns:
            raise ConfigError(
                f"HOOKS: AlternationHook: {type(self.rule).__name__} decided on {self.action!r}; turns has "
                f"{', '.join(self.turns)}"
            )
        self.coming = list(self.turns.get(self.action, ())) if self.action != "end" else []
        why = {"measured": dict(measured), "thresholds": dict(self.rule.thresholds)}
        number = len(self.switches) + 1
        self.switches.append({"number": number, "iter": runner.iter, "from": before, "to": self.action, **why})
        if is_main():
            words = [", ".join(f"{name} {value:.3f}" for name, value in values.items()) for values in why.values()]
            logger.info("action %d: %s -> %s: %s (%s)", number, before, self.action, *words)

    def record(self) -> dict[str, Any]:
        """Return what ``alternation.json`` holds."""
        return {"rule": self.rule_node, "switches": self.switches, "timeline": self.timeline}

    # ---- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the turns to come and everything that happened."""
        state = {"action": self.action, "coming": self.coming, "switches": self.switches, "timeline": self.timeline}
        return {**state, "rule": self.rule.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint's state."""
        self.action = state["action"]
        self.coming, self.switches, self.timeline = (list(state[key]) for key in ("coming", "switches", "timeline"))
        self.rule.load_state_dict(state["rule"])
