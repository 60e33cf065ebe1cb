"""Camera-balanced sampling: as many images of every camera."""

from __future__ import annotations

import numpy as np

from reidzoo.errors import DatasetError
from reidzoo.registry import SAMPLER
from reidzoo.samplers.base import BatchSampler
from reidzoo.samplers.groups import check_groups, cut_groups
from reidzoo.samplers.label_columns import LabelColumns

__all__ = ["CameraBalancedSampler"]


@SAMPLER.register_module()
class CameraBalancedSampler(BatchSampler):
    """Batches in which every camera has as many images, up to one group of K, whatever its share of the set.

    The cameras take turns, in an order that each pass draws. At its turn a camera gives K images of one identity that
    it has seen: the images of each identity and camera are shuffled and cut into groups, which come in random order. A
    pass ends with the camera that has most groups; the others start over meanwhile. With K = 1 it balances images
    alone; with more, positives are of the anchor's camera, as for learning within cameras.

    Args:
        data: the training set; images of identity -1 are never drawn.
        batch_size: images per batch, over all processes.
        num_instances: K, 1 or more; where a camera has fewer images of an identity, some come twice.

    Raises:
        ConfigError: the batch size is not a multiple of K.
        DatasetError: one pass has fewer images than one batch takes.
    """

    def __init__(self, data: LabelColumns, batch_size: int, num_instances: int = 1) -> None:
        super().__init__(data, batch_size)
        check_groups(self, batch_size, num_instances)
        self.num_instances = num_instances
        labelled = self.pids != -1
        self.rows = [np.flatnonzero(labelled & (self.camids == camera)) for camera in np.unique(self.camids[labelled])]
        nobody = np.random.default_rng(0)  # how many groups there are does not depend on the order
        counts = [len(cut_groups(nobody, rows, self.pids, num_instances)[0]) for rows in self.rows]
        self.rounds = max(counts, default=0)
        images = self.rounds * len(counts) * num_instances
        if images < batch_size:
            raise DatasetError(
                f"CameraBalancedSampler: {len(counts)} cameras give {images} images in one pass, and a batch takes "
                f"{batch_size}; lower the batch size or add images"
            )

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of one pass, group by group."""
        order = rng.permutation(len(self.rows))
        return np.stack([self._turns(rng, self.rows[camera]) for camera in order], axis=1).ravel()

    def _turns(self, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
        """Return the groups that a camera gives in a pass (rounds, K)."""
        found: list[np.ndarray] = []
        while sum(map(len, found)) < self.rounds:
            found.append(rng.permutation(cut_groups(rng, rows, self.pids, self.num_instances)[0]))
        return np.concatenate(found)[: self.rounds]
