"""P x S batches with as many images of either camera."""

from __future__ import annotations

import numpy as np

from reidzoo.checks import check, whole
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import SAMPLER
from reidzoo.samplers import BatchSampler, LabelColumns

__all__ = ["ViewPairSampler"]


@SAMPLER.register_module()
class ViewPairSampler(BatchSampler):
    """P identities with S images each, S/2 from either of an identity's two cameras, by turns.

    A pass has one batch for each identity, in which P - 1 random others follow it ("during a training epoch each
    identity is selected into its batch, and the remaining P-1 batch identities are selected at random"). Where a
    camera has fewer than S/2 images of an identity, they are repeated.

    Args:
        data: the training set; images of identity -1 are never drawn.
        batch_size: images per batch, over all processes: P = batch_size / num_instances.
        num_instances: S, an even number.

    Raises:
        ConfigError: S is odd, or the batch size no multiple of it.
        DatasetError: an identity has another number of cameras than two, or there are fewer than P identities.
    """

    def __init__(self, data: LabelColumns, batch_size: int, num_instances: int = 8) -> None:
        super().__init__(data, batch_size)
        check(self, whole(2, multiple_of=2), num_instances=num_instances)
        if batch_size % num_instances or batch_size < 2 * num_instances:
            raise ConfigError(
                f"ViewPairSampler takes an even num_instances, and a batch of two or more times as many images; got "
                f"{num_instances} and {batch_size}"
            )
        self.identities, self.each = batch_size // num_instances, num_instances // 2
        self.rows: list[list[np.ndarray]] = []
        for pid in np.unique(self.pids[self.pids != -1]):
            rows = np.flatnonzero(self.pids == pid)
            self.rows.append([rows[self.camids[rows] == camera] for camera in np.unique(self.camids[rows])])
        if any(len(sides) != 2 for sides in self.rows):
            raise DatasetError("ViewPairSampler: every identity needs two cameras; wrap the dataset in TwoViews")
        if len(self.rows) < self.identities:
            raise DatasetError(
                f"ViewPairSampler: a batch takes {self.identities} identities and there are {len(self.rows)}; lower "
                f"SOLVER.IMS_PER_BATCH, or raise SAMPLER.num_instances"
            )

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of one batch for each identity, batch by batch."""
        count = len(self.rows)
        chosen = []
        for anchor in rng.permutation(count):
            others = rng.choice(count - 1, self.identities - 1, replace=False)
            for identity in (anchor, *np.where(others < anchor, others, others + 1)):
                sides = [np.resize(rng.permutation(rows), self.each) for rows in self.rows[identity]]
                chosen.append(np.stack(sides, axis=1).ravel())
        return np.concatenate(chosen)
