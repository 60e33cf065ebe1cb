"""P x K sampling of a labelled set, plain shuffling of an unlabelled one."""

from __future__ import annotations

import numpy as np

from reidzoo.checks import check, whole
from reidzoo.registry import SAMPLER
from reidzoo.samplers.base import BatchSampler
from reidzoo.samplers.identity import IdentitySampler
from reidzoo.samplers.label_columns import LabelColumns
from reidzoo.samplers.shuffle import ShuffleSampler

__all__ = ["SourceTargetSampler"]


@SAMPLER.register_module()
class SourceTargetSampler(BatchSampler):
    """Batches of ``IdentitySampler`` for a set with labels, of ``ShuffleSampler`` for one without any.

    MMT's source pre-training and ARN draw their two sets so: a labelled source and an unlabelled target.

    Args:
        data: the training set; its identities are all -1 where it has no labels.
        batch_size: images per batch, over all processes.
        num_instances: K, 1 or more, of the set with labels.
    """

    def __init__(self, data: LabelColumns, batch_size: int, num_instances: int = 4) -> None:
        super().__init__(data, batch_size)
        check(self, whole(1), num_instances=num_instances)
        self.sampler: BatchSampler
        if (self.pids == -1).all():
            self.sampler = ShuffleSampler(data, batch_size, unlabelled=True)
        else:
            self.sampler = IdentitySampler(data, batch_size, num_instances)

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of one pass."""
        return self.sampler.one_pass(rng)
