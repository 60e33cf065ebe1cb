"""Groups of K images of one identity, from a pass over all its images."""

from __future__ import annotations

import numpy as np

from reidzoo.checks import check, whole
from reidzoo.errors import ConfigError

__all__ = ["check_groups", "cut_groups"]


def check_groups(sampler: object, batch_size: int, num_instances: int) -> None:
    """Check that a batch can be made of groups of K images.

    Raises:
        ConfigError: K is below 1, or the batch size is not a multiple of it; the message begins with the sampler.
    """
    check(sampler, whole(1), num_instances=num_instances)
    if batch_size % num_instances:
        raise ConfigError(
            f"{type(sampler).__name__}: the batch size must be a multiple of num_instances, got {batch_size} and "
            f"{num_instances}"
        )


def cut_groups(
    rng: np.random.Generator, rows: np.ndarray, pids: np.ndarray, num_instances: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each identity's images in random order, cut into groups.

    What is left over, less than K images, is dropped; an identity of less than K images gives one group, of draws with
    replacement.

    Args:
        rng: where the order comes from.
        rows: the images, int64 (n,).
        pids: of all images (N,), which ``rows`` are numbers of.
        num_instances: K.

    Returns:
        The groups (G, K) of rows, identity by identity, and each one's identity (G,).
    """
    rows = rng.permutation(rows)
    rows = rows[np.argsort(pids[rows], kind="stable")]
    identities, start, size = np.unique(pids[rows], return_index=True, return_counts=True)
    count = np.maximum(size // num_instances, 1)
    owner = np.repeat(np.arange(len(identities)), count)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    positions = num_instances * within[:, None] + np.arange(num_instances)
    short = size[owner] < num_instances
    positions[short] = rng.integers(0, size[owner][short, None], (int(short.sum()), num_instances))
    return rows[start[owner][:, None] + positions], identities[owner]
