"""The contract of a TRAINER."""

from __future__ import annotations

import copy
import inspect
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from reidzoo.engine.phases import step_phases
from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.testing.contract import Contract
from reidzoo.testing.tiny import tiny_arguments, tiny_config, write_images
from reidzoo.testing.values import difference, saved_and_read
from reidzoo.trainers import Trainer

__all__ = ["check_trainer"]


def check_trainer(part: Any, prepare: Callable[[Trainer], object] | None = None, **changes: Any) -> None:
    """Check that a trainer keeps its contract: a step of each phase on small images, and going on from its state.

    Args:
        part: the TRAINER: its node or its class, without ``cfg``, ``sets``, ``output_dir`` and ``device``.
        prepare: is called with a new trainer, to do what its hooks would: fill a memory, give labels.
        **changes: the configuration that it needs on top of that of a baseline: ``DATASETS``, ``LOSSES``,
            ``OPTIMIZERS``, ... as a YAML has them. The datasets are ``reidzoo.testing.SOURCE`` and ``TARGET``, and the
            training set is called ``train``. A phase without its losses is not checked.

    Raises:
        ContractError: it does not; the message says which clause is broken.
        ConfigError: the changes are not a configuration.
    """
    with Contract(TRAINER, part) as contract, tempfile.TemporaryDirectory() as place:
        made_by = contract.registry.get(contract.part["type"]) if isinstance(contract.part, Mapping) else contract.part
        derived = inspect.isclass(made_by) and issubclass(made_by, Trainer)
        contract.require(derived, "it is a subclass of reidzoo.trainers.Trainer", f"it is {made_by!r}")
        folder = Path(place)
        write_images(folder)
        cfg = tiny_config(folder, changes)
        trainer = contract.build(**tiny_arguments(cfg, folder / "one"))
        if prepare is not None:
            prepare(trainer)
        phases = _phases(contract, trainer)
        trainer.parts.train()
        batches = list(trainer.loader.epoch(0))
        for phase in phases:
            _check_step(contract, trainer, phase, batches[0])
        _check_state(contract, trainer, phases, batches[1], tiny_arguments(cfg, folder / "two"))


def _phases(contract: Contract, trainer: Trainer) -> list[str]:
    """Return the phases that the configuration has losses for."""
    names = step_phases(trainer)
    contract.require(bool(names), "it has a step_<phase> for each of its phases", "it has none")
    ready, lacking = [], ""
    for name in names:
        try:
            trainer.check_phase(name)
            ready.append(name)
        except ConfigError as error:
            lacking = str(error)
    contract.require(bool(ready), "the configuration has what one of its phases needs", lacking)
    return ready


def _step(trainer: Trainer, phase: str, batch: dict) -> Any:
    """Take a step as the loop does, on a copy of ``batch``."""
    trainer.phase = phase
    outputs = trainer.train_step(copy.deepcopy(batch))
    trainer.step, trainer.iter = trainer.step + 1, trainer.iter + 1
    return outputs


def _check_step(contract: Contract, trainer: Trainer, phase: str, batch: dict) -> None:
    """Check what a step returns and does."""
    before = copy.deepcopy(trainer.parts.state_dict())
    clause = "random numbers come from torch's generator, which checkpoints keep"
    with contract.clause(f"step_{phase} takes a batch"), contract.no_draws(clause, "numpy", "random"):
        outputs = _step(trainer, phase, batch)
    clause = f"step_{phase} returns a dict of detached scalars"
    contract.require(isinstance(outputs, Mapping), clause, f"it returned a {type(outputs).__name__}")
    for name, value in outputs.items():
        scalar = isinstance(value, Tensor) and value.dim() == 0 and not value.requires_grad
        contract.require(scalar, clause, f"{name} is {_kind(value)}")
        contract.require(bool(value.isfinite()), f"what step_{phase} returns is finite", f"{name} is {float(value)}")
    contract.require(trainer.phase == phase, "a step leaves phase to hooks", f"step_{phase} made it {trainer.phase!r}")
    moved = bool(difference(before, trainer.parts.state_dict()))
    contract.require(moved, f"step_{phase} trains something", "every parameter and buffer is what it was")


def _kind(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"a tensor {tuple(value.shape)} {'with a gradient' if value.requires_grad else ''}".strip()


def _check_state(contract: Contract, trainer: Trainer, phases: list[str], batch: dict, arguments: dict) -> None:
    """Check that another trainer with this one's state takes the same steps."""
    clause = "another trainer goes on from its state_dict as it does itself"
    with contract.clause("state_dict holds tensors and plain values"):
        state = saved_and_read(copy.deepcopy(trainer.state_dict()))
    here = [_step(trainer, phase, batch) for phase in phases]
    other = contract.build(seed=1, **arguments)
    with contract.clause(clause):
        other.load_state_dict(state)
        other.parts.train()
        there = [_step(other, phase, batch) for phase in phases]
    found = difference(here, there, "losses") or difference(trainer.parts.state_dict(), other.parts.state_dict())
    contract.require(not found, clause, found)
