"""Seeds every random draw of a run from one number of the configuration."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from yacs.config import CfgNode

from reidzoo import distributed

__all__ = ["kept_random_state", "load_random_state", "random_state", "seed_everything", "seed_of"]


def seed_of(cfg: CfgNode) -> int:
    """Return the number that every random draw of a stage starts from: its weights, its batches, its augmentation.

    The stage's name is in it: a stage that trains on the sets of an earlier one must not see that one's batches again,
    image for image and crop for crop.
    """
    entropy = [cfg.SEED + cfg.SEED_OFFSET, *cfg.STREAM.encode()]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def seed_everything(seed: int) -> None:
    """Seed torch's generators; numpy's global generator is not used anywhere, samplers and transforms have their own.

    The weights are drawn before the ranks part ways, so every rank starts with the same ones.
    """
    torch.manual_seed(seed)


def random_state() -> list[dict[str, torch.Tensor]]:
    """Return the state of torch's generators on every rank (dropout draws from them), for the checkpoint."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return distributed.gather_objects(state)


def load_random_state(states: list[dict[str, torch.Tensor]]) -> None:
    """Set this rank's generators; a run resumed with more ranks than it had keeps the fresh seed on the new ones."""
    rank = distributed.rank()
    if rank >= len(states):
        return
    torch.set_rng_state(states[rank]["cpu"])
    if torch.cuda.is_available() and "cuda" in states[rank]:
        torch.cuda.set_rng_state(states[rank]["cuda"])


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Restore the global random state of torch, numpy and Python on exit."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
