"""Batches of images with their nearest neighbours."""

from __future__ import annotations

import numpy as np

from reidzoo.checks import Rule, check, optional
from reidzoo.errors import ConfigError
from reidzoo.registry import SAMPLER
from reidzoo.samplers import LabelColumns, ShuffleSampler

__all__ = ["NeighbourSampler"]


@SAMPLER.register_module()
class NeighbourSampler(ShuffleSampler):
    """The batches of ``MiniBatchExemplars``: P anchors, the same again, their neighbours, and others to fill up.

    A set whose images have labels, the source, is shuffled plainly. A pass takes each image once as an anchor.

    Args:
        data: the training set; its identities are -1 where they are not known.
        batch_size: images per batch, over all processes.
        neighbours: int64 (N, m), the neighbours of each image; None for m = 0.

    Raises:
        ConfigError: a batch has no room for an anchor, the same again and its neighbours.
        DatasetError: fewer images than one batch takes.
    """

    def __init__(self, data: LabelColumns, batch_size: int, neighbours: np.ndarray | None = None) -> None:
        super().__init__(data, batch_size, unlabelled=True)
        array = Rule("an array (N, m), which NeighbourHook gives", lambda value: getattr(value, "ndim", 0) == 2)
        check(self, optional(array), neighbours=neighbours)
        self.labelled = bool((self.pids != -1).any())
        self.neighbours = np.empty((len(self.pids), 0), dtype=np.int64) if neighbours is None else neighbours
        least = 2 + self.neighbours.shape[1]
        self.anchors = batch_size // least
        if not (self.labelled or self.anchors):
            raise ConfigError(
                f"NeighbourSampler: a batch of {batch_size} has no room for an image, the same again and its "
                f"{least - 2} neighbours; set SOLVER.IMS_PER_BATCH to {least} or more, or the memory's neighbours lower"
            )

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of one pass, batch by batch."""
        order = super().one_pass(rng)
        if self.labelled:
            return order
        whole = order[: len(order) // self.anchors * self.anchors].reshape(-1, self.anchors)
        neighbours = self.neighbours[whole].reshape(len(whole), -1)
        filling = rng.integers(0, len(order), (len(whole), self.batch_size - 2 * self.anchors - neighbours.shape[1]))
        return np.concatenate([whole, whole, neighbours, filling], axis=1).ravel()
