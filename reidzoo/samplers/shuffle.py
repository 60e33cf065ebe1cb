"""Plain shuffling."""

from __future__ import annotations

import numpy as np

from reidzoo.checks import FLAG, check
from reidzoo.errors import DatasetError
from reidzoo.registry import SAMPLER
from reidzoo.samplers.base import BatchSampler
from reidzoo.samplers.label_columns import LabelColumns

__all__ = ["ShuffleSampler"]


@SAMPLER.register_module()
class ShuffleSampler(BatchSampler):
    """Draws every image once per pass, in random order.

    Args:
        data: the training set.
        batch_size: images per batch, over all processes.
        unlabelled: draw images of identity -1 too, for methods that need no labels.

    Raises:
        DatasetError: fewer images than one batch takes.
    """

    def __init__(self, data: LabelColumns, batch_size: int, unlabelled: bool = False) -> None:
        super().__init__(data, batch_size)
        check(self, FLAG, unlabelled=unlabelled)
        self.rows = np.flatnonzero((self.pids != -1) | unlabelled)
        if len(self.rows) < batch_size:
            raise DatasetError(
                f"{type(self).__name__}: there are {len(self.rows)} images to draw from ({len(self.pids)} with those "
                f"of identity -1), and a batch takes {batch_size}; lower the batch size or add images"
            )

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return every row once."""
        return rng.permutation(self.rows)
