"""ADIN's alternation of phases by accuracies on held-out images, with a record of every decision."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from adin.alternation import Alternation
from adin.timeline import timeline_plot
from adin.validation import Validation
from reidzoo.checks import PROBABILITY, check, mapping_of, number, optional, whole
from reidzoo.datasets import build_dataset
from reidzoo.datasets.nodes import check_node
from reidzoo.distributed import is_main
from reidzoo.engine.seed import seed_of
from reidzoo.errors import ConfigError
from reidzoo.files import write_text
from reidzoo.hooks import Hook
from reidzoo.random_streams import TRAINING, random_generator
from reidzoo.registry import HOOK
from reidzoo.trainers import NuisanceTrainer

__all__ = ["AlternationHook"]

logger = logging.getLogger("reidzoo")

TURNS = {
    "rescue": ["model", "nuisance", "head"],
    "penalty": ["penalty", "nuisance", "head"],
    "renew": ["nuisance", "head"],
    "end": [],
}
"""What a round consists of: phases of ``NuisanceTrainer``."""
PHASES = ("model", "nuisance", "head", "penalty")


@HOOK.register_module()
class AlternationHook(Hook[NuisanceTrainer]):
    """Alternates phases as ADIN does (Yuan et al., WACV 2020, section 3.3), by accuracies on held-out images.

    ``Alternation`` decides by its thresholds. A turn, one phase of ``NuisanceTrainer``, is one of the trainer's epochs,
    as many steps long as is said here; its optimizer is rebuilt. After each turn the accuracies are measured, after
    each round the next one is decided. SOLVER.MAX_EPOCHS is an upper bound of the number of turns.
    ``alternation.json`` has every decision with the accuracies and thresholds that caused it, and ``alternation.svg``
    draws them.

    Args:
        validation: node of the dataset whose training images are validated on: a ``HoldOut`` with ``part: val``.
        epochs: length of the turns of ``model``, ``nuisance`` and ``head``, in epochs of SOLVER.ITERS_PER_EPOCH steps
            (0: passes over the data).
        penalty_steps: length of the turn of ``penalty`` in steps; 0 for one epoch.
        decay_at: after this share of such a turn the learning rate is multiplied by ``decay_factor``. With a factor of
            0 turns end as those of the authors' code do, by mistake.
        decay_factor: see there.
        rules: arguments of ``Alternation``.

    Raises:
        ConfigError: an argument is wrong, or the trainer lacks a phase.
    """

    priority = 10

    def __init__(
        self,
        validation: Mapping[str, Any],
        epochs: Mapping[str, float] | None = None,
        penalty_steps: int = 0,
        decay_at: float = 2 / 3,
        decay_factor: float = 0.1,
        rules: Mapping[str, Any] | None = None,
    ) -> None:
        check_node(self, validation=validation)
        check(self, optional(mapping_of(number(above=0))), epochs=epochs)
        check(self, whole(0, 10**6), penalty_steps=penalty_steps)
        check(self, PROBABILITY, decay_at=decay_at, decay_factor=decay_factor)
        check(self, optional(mapping_of(number(0))), rules=rules)
        self.node, self.penalty_steps = validation, penalty_steps
        self.epochs = {"model": 15, "nuisance": 30, "head": 30, **(epochs or {})}
        self.decay_at, self.decay_factor = decay_at, decay_factor
        if set(self.epochs) != {"model", "nuisance", "head"}:
            raise ConfigError(
                f"HOOKS: AlternationHook takes epochs of model, nuisance and head; got {dict(epochs or {})}"
            )
        try:
            self.alternation = Alternation(**(rules or {}))
        except TypeError as error:
            raise ConfigError(f"HOOKS: AlternationHook: rules: {error}") from None
        self.turns: list[str] = []
        self.switches: list[dict[str, Any]] = []
        self.timeline: list[dict[str, Any]] = []

    def phases(self) -> Sequence[str]:
        """Return every phase it may assign."""
        return PHASES

    # ---- events -----------------------------------------------------------------------------------------------------

    def before_train(self, runner: NuisanceTrainer) -> None:
        """Measure the accuracies to begin from; a resumed run has them."""
        for phase in PHASES:
            if not hasattr(runner, f"step_{phase}") or phase not in runner.optims or phase not in runner.losses:
                raise ConfigError(
                    f"HOOKS: AlternationHook needs a NuisanceTrainer, LOSSES of phase {phase}, and OPTIMIZERS.{phase}"
                )
        self.validation = Validation(build_dataset(self.node, root=runner.cfg.DATASETS.ROOT), runner)
        runner.loader.iters = runner.cfg.SOLVER.ITERS_PER_EPOCH
        runner.loader.plan(runner.epoch)
        self.epoch_length = runner.loader.length
        if not self.timeline:
            accuracies = self._measure(runner, "", 0)
            self.alternation.begin(**accuracies)
            self._decide(runner, accuracies)
        self._set_length(runner)
        if not self.turns:
            runner.max_epochs = runner.epoch

    def before_train_epoch(self, runner: NuisanceTrainer) -> None:
        """Begin a turn."""
        if self.alternation.action == "renew" and self.turns == TURNS["renew"]:
            draw = random_generator(TRAINING, seed=seed_of(runner.cfg), epoch=runner.epoch)
            runner.reset_heads(torch.Generator().manual_seed(int(draw.integers(2**62))))
        runner.renew_optimizers(keep=False)
        self._set_length(runner)

    def before_train_iter(self, runner: NuisanceTrainer, batch_idx: int, data_batch: Any = None) -> None:
        """Assign the turn's phase and its learning rate."""
        runner.phase = phase = self.turns[0]
        late = phase != "penalty" and batch_idx >= self.decay_at * runner.loader.length
        runner.optims[phase].scale_lr(self.decay_factor if late else 1.0)

    def after_train_epoch(self, runner: NuisanceTrainer) -> None:
        """End a turn: measure and, where it was a round's last, decide."""
        accuracies = self._measure(runner, self.turns.pop(0), runner.epoch + 1)
        if not self.turns:
            self._decide(runner, accuracies)
        if not self.turns:
            runner.max_epochs = runner.epoch + 1
        elif runner.epoch + 1 >= runner.max_epochs:
            logger.warning("SOLVER.MAX_EPOCHS ends the alternation in round %d", self.alternation.round)
        if is_main():
            write_text(runner.output_dir / "alternation.json", json.dumps(self.record(), indent=1) + "\n")
            write_text(runner.output_dir / "alternation.svg", timeline_plot(self.record()))

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _set_length(self, runner: NuisanceTrainer) -> None:
        """Make the coming epoch as long as its turn."""
        if not self.turns:
            return
        phase = self.turns[0]
        steps = self.penalty_steps if phase == "penalty" else max(round(self.epochs[phase] * self.epoch_length), 1)
        runner.loader.iters = runner.loader.length = steps or self.epoch_length

    def _measure(self, runner: NuisanceTrainer, phase: str, epoch: int) -> dict[str, float]:
        accuracies = self.validation.measure(runner)
        moment = {"epoch": epoch, "iter": runner.iter, "round": self.alternation.round, "phase": phase}
        self.timeline.append({**moment, **accuracies})
        return accuracies

    def _decide(self, runner: NuisanceTrainer, accuracies: Mapping[str, float]) -> None:
        """Decide the next round and note down why."""
        before = self.alternation.action
        action = self.alternation.decide(**accuracies)
        self.turns = list(TURNS[action])
        why: dict[str, Any] = {
            "iter": runner.iter,
            "from": before,
            "to": action,
            **accuracies,
            **self.alternation.thresholds,
        }
        self.switches.append({"round": self.alternation.round, **why})
        if is_main():
            logger.info(
                "round %d: %s -> %s: identities %.1f %% (trigger %.1f, goal %.1f), nuisances %.1f %% (trigger %.1f)",
                self.alternation.round, before, action, 100 * accuracies["identity"], 100 * why["trigger_identity"],
                100 * why["goal"], 100 * accuracies["nuisance"], 100 * why["trigger_nuisance"],
            )  # fmt: skip

    def record(self) -> dict[str, Any]:
        """Return what ``alternation.json`` holds."""
        return {"rules": asdict(self.alternation), "switches": self.switches, "timeline": self.timeline}

    # ---- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the turns to come and everything that happened."""
        state = {"turns": self.turns, "switches": self.switches, "timeline": self.timeline}
        return {**state, "alternation": self.alternation.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint's state."""
        self.turns, self.switches, self.timeline = (list(state[key]) for key in ("turns", "switches", "timeline"))
        self.alternation.load_state_dict(state["alternation"])
