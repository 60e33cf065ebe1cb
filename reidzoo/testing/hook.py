"""The contract of a HOOK."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from reidzoo.hooks.hook import EVENTS, Hook, order_hooks
from reidzoo.registry import HOOK, TRAINER
from reidzoo.testing.contract import Contract
from reidzoo.testing.tiny import tiny_arguments, tiny_config, write_images
from reidzoo.testing.values import difference, saved_and_read
from reidzoo.trainers import Trainer

__all__ = ["check_hook"]

NAME = "checked"
STEPS = 3
"""After how many of the four steps the run is stopped that is resumed."""


class _StopHook(Hook):
    """Takes the trainer's state after a step, and stops."""

    priority = 1000
    state: Any = None

    def save_point(self, runner: Trainer) -> None:
        if runner.iter == STEPS:
            self.state, runner.stop = saved_and_read(copy.deepcopy(runner.state_dict())), True


def check_hook(part: Any, **changes: Any) -> None:
    """Check that a hook keeps its contract, in a training of two epochs of two steps, whole and resumed.

    Args:
        part: the HOOK: its node, its class, or itself.
        **changes: the configuration that it needs on top of that of a baseline without any hook: ``HOOKS``,
            ``TRAINER``, ``CLUSTERER``, ... as a YAML has them. The datasets are ``reidzoo.testing.SOURCE`` and
            ``TARGET``, and the training set is called ``train``.

    Raises:
        ContractError: it does not; the message says which clause is broken.
        ConfigError: the changes are not a configuration.
    """
    with Contract(HOOK, part) as contract:
        hook = contract.build()
        _check_events(contract, hook)
        pair = [hasattr(hook, name) for name in ("state_dict", "load_state_dict")]
        contract.require(pair[0] == pair[1], "it has state_dict and load_state_dict, both or neither")
        with tempfile.TemporaryDirectory() as place:
            write_images(Path(place))
            _check_resume(contract, tiny_config(Path(place), changes), Path(place))


def _check_events(contract: Contract, hook: Any) -> None:
    """Check the names of its methods, their signatures, and its priority."""
    with contract.clause("its methods are named after events, take what these give, and its priority exists"):
        order_hooks({NAME: hook})
    own = [
        name for name in EVENTS if hasattr(hook, name) and getattr(type(hook), name, None) is not getattr(Hook, name)
    ]
    contract.require(bool(own), f"it has a method named after an event: {', '.join(EVENTS)}", "it has none")


def _check_resume(contract: Contract, cfg: CfgNode, folder: Path) -> None:
    """Check that a run that is stopped and resumed ends as the whole one does, with the hook in the same state."""
    whole = _run(contract, cfg, folder / "whole")
    stop = _StopHook()
    _run(contract, cfg, folder / "resumed", stop=stop)
    resumed = _run(contract, cfg, folder / "resumed", seed=1, state=stop.state)
    clause = "a run that is stopped and resumed ends as one that is not"
    found = difference(whole.parts.state_dict(), resumed.parts.state_dict())
    contract.require(not found, clause, f"in its parts, {found}")
    if hasattr(whole.hooks[NAME], "state_dict"):
        found = difference(*(trainer.hooks[NAME].state_dict() for trainer in (whole, resumed)))
        contract.require(not found, clause, f"in the hook's state, {found}")


def _run(
    contract: Contract, cfg: CfgNode, folder: Path, seed: int = 0, stop: Hook | None = None, state: Any = None
) -> Trainer:
    """Train with the hook, from the beginning or from a state, and return the trainer."""
    hook = contract.build(seed=seed)
    contract.seed(seed)
    trainer = TRAINER.build(cfg.TRAINER, **tiny_arguments(cfg, folder))
    trainer.hooks = order_hooks({**trainer.hooks, NAME: hook, **({} if stop is None else {"stop": stop})})
    with contract.clause("it takes part in a training, and its state is plain values and tensors"):
        if state is not None:
            trainer.load_state_dict(state)
        trainer.train()
    return trainer
