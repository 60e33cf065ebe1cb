"""P x K sampling: P identities with K images each."""

from __future__ import annotations

import numpy as np

from reidzoo.errors import DatasetError
from reidzoo.registry import SAMPLER
from reidzoo.samplers.base import BatchSampler
from reidzoo.samplers.groups import check_groups
from reidzoo.samplers.label_columns import LabelColumns

__all__ = ["IdentitySampler"]


@SAMPLER.register_module()
class IdentitySampler(BatchSampler):
    """P x K batches that prefer other cameras, as MMT, SpCL and DomainMix draw them.

    A pass takes the identities in random order, each once. An identity gives a random anchor image and K - 1 others:
    from its images of other cameras than the anchor's, or from its other images if it has one camera. They are
    distinct if there are at least K to choose from, else drawn with replacement. An identity of one image gives this
    image alone, so that batches need not begin with an identity: this is how SpCL's outliers enter batches.

    Args:
        data: the training set; images of identity -1 are never drawn.
        batch_size: images per batch, over all processes: P = batch_size / num_instances.
        num_instances: K, 1 or more.

    Attributes:
        images_per_pass: how many images one pass draws, the incomplete last batch included.

    Raises:
        ConfigError: the batch size is not a multiple of K.
        DatasetError: one pass has fewer images than one batch takes.
    """

    def __init__(self, data: LabelColumns, batch_size: int, num_instances: int = 4) -> None:
        super().__init__(data, batch_size)
        check_groups(self, batch_size, num_instances)
        self.num_instances = num_instances
        self._group()
        self.images_per_pass = int(np.where(self._size > 1, num_instances, 1).sum())
        if not len(self._size):
            raise DatasetError(
                "IdentitySampler: no image has an identity; an unlabelled set gets some from a PseudoLabelHook or a "
                "file of pseudo labels"
            )
        if self.images_per_pass < batch_size:
            raise DatasetError(
                f"IdentitySampler: {len(self._size)} identities with {int(self._size.sum())} images give "
                f"{self.images_per_pass} images in one pass at {num_instances} each, and a batch takes {batch_size}; "
                f"lower the batch size to at most {self.images_per_pass}, or train on more identities"
            )

    def _group(self) -> None:
        """Order the rows by identity and camera, and find where each of both begins and ends."""
        rows = np.flatnonzero(self.pids != -1)
        self._rows = rows[np.lexsort((self.camids[rows], self.pids[rows]))]
        pids, camids = self.pids[self._rows], self.camids[self._rows]
        new_pid = np.ones(len(rows), dtype=bool)
        new_pid[1:] = pids[1:] != pids[:-1]
        new_camera = new_pid.copy()
        new_camera[1:] |= camids[1:] != camids[:-1]
        self._start = np.flatnonzero(new_pid)
        self._size = np.diff(self._start, append=len(rows))
        cameras = np.flatnonzero(new_camera)
        lengths = np.diff(cameras, append=len(rows))
        self._camera_start = np.repeat(cameras, lengths)
        self._camera_size = np.repeat(lengths, lengths)

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of one pass, identity by identity."""
        order = rng.permutation(len(self._start))
        start, size = self._start[order], self._size[order]
        anchor = start + rng.integers(0, size)
        # The images not to choose from lie together: the anchor's camera, or the anchor if there is one camera.
        barred_start, barred = self._camera_start[anchor], self._camera_size[anchor]
        one_camera = barred == size
        barred_start = np.where(one_camera, anchor, barred_start)
        barred = np.where(one_camera, 1, barred)
        chosen = start[:, None] + self._choose(rng, size - barred)
        chosen += np.where(chosen >= barred_start[:, None], barred[:, None], 0)
        positions = np.concatenate([anchor[:, None], chosen], axis=1)
        drawn = np.ones(positions.shape, dtype=bool)
        drawn[size == 1, 1:] = False
        return self._rows[positions[drawn]]

    def _choose(self, rng: np.random.Generator, available: np.ndarray) -> np.ndarray:
        """Return (P, K - 1) numbers below ``available`` (P,), distinct in a row where at least K are available."""
        distinct = available >= self.num_instances
        chosen = np.zeros((len(available), self.num_instances - 1), dtype=np.int64)
        for draw in range(self.num_instances - 1):
            # The draw-th of the numbers not yet taken: step over those taken, from the smallest on.
            number = rng.integers(0, np.maximum(available - draw * distinct, 1))
            for taken in np.sort(chosen[:, :draw], axis=1).T:
                number += distinct & (number >= taken)
            chosen[:, draw] = number
        return chosen
