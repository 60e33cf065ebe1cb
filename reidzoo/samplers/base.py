"""The base of samplers: passes over the images, restarts, whole batches only."""

from __future__ import annotations

import numpy as np

from reidzoo.checks import check, whole
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.random_streams import SAMPLING, random_generator
from reidzoo.samplers.label_columns import LabelColumns

__all__ = ["BatchSampler"]


class BatchSampler:
    """Cuts passes over the images into batches; a pass's incomplete last batch is dropped.

    Args:
        data: the training set; images of identity -1 are junk.
        batch_size: images per batch, over all processes.

    Attributes:
        pids, camids, domains: columns of the training set, int64 (N,).

    Raises:
        ConfigError: a batch size below 1.
    """

    def __init__(self, data: LabelColumns, batch_size: int) -> None:
        check(self, whole(1), batch_size=batch_size)
        columns = (data.pids, data.camids, data.domains)
        self.pids, self.camids, self.domains = (np.asarray(column, dtype=np.int64) for column in columns)
        self.batch_size = batch_size

    def batches(self, seed: int, epoch: int, count: int = 0) -> list[np.ndarray]:
        """Return the batches of an epoch: int64 arrays (batch_size,) of row numbers.

        Args:
            seed: the run's seed, not negative.
            epoch: counted from 0.
            count: how many batches; the sampler starts over as often as that takes. 0 for one pass.

        Raises:
            ConfigError: a negative seed, epoch or count.
        """
        if count < 0:
            raise ConfigError(f"{type(self).__name__}: the number of batches must not be negative, got {count}")
        return self.draw(random_generator(SAMPLING, seed=seed, epoch=epoch), count)

    def draw(self, rng: np.random.Generator, count: int) -> list[np.ndarray]:
        """Return ``count`` batches, or those of one pass for 0, from random numbers of ``rng``.

        Raises:
            DatasetError: a pass has fewer images than a batch.
        """
        batches: list[np.ndarray] = []
        while True:
            rows = np.asarray(self.one_pass(rng))
            whole = len(rows) // self.batch_size
            if not whole:  # and so it would go on for ever
                raise DatasetError(
                    f"{type(self).__name__}: a pass gave {len(rows)} images, and a batch takes {self.batch_size}; "
                    f"lower the batch size or add images"
                )
            batches.extend(rows[: whole * self.batch_size].reshape(whole, self.batch_size))
            if len(batches) >= count:
                return batches[: count or None]

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return the row numbers of one pass in order, at least ``batch_size`` of them."""
        raise NotImplementedError
