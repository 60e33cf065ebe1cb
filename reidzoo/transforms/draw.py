"""The random numbers of one batch's augmentation."""

from __future__ import annotations

import numpy as np

from reidzoo.random_streams import AUGMENTATION, random_generator

__all__ = ["BatchDraw"]


class BatchDraw:
    """Random numbers for the images ``start`` to ``stop`` of a global batch, the same however the batch is shared out.

    Every process draws for the whole batch and keeps its own rows, so an image's numbers depend on the seed, the epoch,
    the step and its position in the batch, and not on the number of processes or workers. Successive calls of
    ``uniform`` give new numbers, so all processes must make the same calls.

    Args:
        seed: the run's seed.
        epoch: counted from 0.
        step: the batch's number in its epoch.
        size: images in the global batch.
        start: this process's first image.
        stop: one past its last; ``size`` if None.
        stream: tells apart batches of the same step, such as the source's and the target's.

    Raises:
        ConfigError: a negative seed.
        ValueError: not 0 <= start <= stop <= size.
    """

    def __init__(
        self, seed: int, epoch: int, step: int, size: int, start: int = 0, stop: int | None = None, *, stream: int = 0
    ) -> None:
        stop = size if stop is None else stop
        if not 0 <= start <= stop <= size:
            raise ValueError(f"expected 0 <= start <= stop <= size, got start {start}, stop {stop}, size {size}")
        self._rng = random_generator(AUGMENTATION, seed=seed, epoch=epoch, step=step, stream=stream)
        self._size = size
        self._share = slice(start, stop)

    def uniform(self, count: int) -> np.ndarray:
        """Return (stop - start, count) float64 numbers in [0, 1), row by row for the images."""
        return self._rng.random((self._size, count))[self._share]
