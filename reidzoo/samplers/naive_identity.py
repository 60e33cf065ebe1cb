"""P x K sampling of all images of an identity."""

from __future__ import annotations

import numpy as np

from reidzoo.errors import DatasetError
from reidzoo.registry import SAMPLER
from reidzoo.samplers.base import BatchSampler
from reidzoo.samplers.groups import check_groups, cut_groups
from reidzoo.samplers.label_columns import LabelColumns

__all__ = ["NaiveIdentitySampler"]


@SAMPLER.register_module()
class NaiveIdentitySampler(BatchSampler):
    """P x K batches that go through all images of each identity, whatever their cameras.

    fastreid's sampler of this name, and ``RandomIdentitySampler`` of the code of Hermans et al.'s followers, BoT and
    TransReID: in a pass each identity's images are shuffled and cut into groups of K; a batch takes a group each of P
    random identities that have some left, and a pass ends when there are fewer than P. ``IdentitySampler`` takes K
    images of an identity in a pass, which is shorter, and prefers other cameras.

    Args:
        data: the training set; images of identity -1 are never drawn.
        batch_size: images per batch, over all processes: P = batch_size / num_instances.
        num_instances: K, 1 or more; an identity of fewer images gives some of them twice.

    Raises:
        ConfigError: the batch size is not a multiple of K.
        DatasetError: there are fewer than P identities.
    """

    def __init__(self, data: LabelColumns, batch_size: int, num_instances: int = 4) -> None:
        super().__init__(data, batch_size)
        check_groups(self, batch_size, num_instances)
        self.num_instances, self.rows = num_instances, np.flatnonzero(self.pids != -1)
        identities, wanted = len(np.unique(self.pids[self.rows])), batch_size // num_instances
        if identities < wanted:
            raise DatasetError(
                f"NaiveIdentitySampler: a batch of {batch_size} takes {wanted} identities with {num_instances} images "
                f"each, and there are {identities}; lower the batch size, or raise num_instances"
            )

    def one_pass(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of one pass, whole batches alone."""
        groups, owners = cut_groups(rng, self.rows, self.pids, self.num_instances)
        _, following, left = np.unique(owners, return_index=True, return_counts=True)
        alive, count, wanted, batches = np.arange(len(left)), len(left), self.batch_size // self.num_instances, []
        while count >= wanted:
            places = rng.choice(count, wanted, replace=False)
            chosen = alive[places]
            batches.append(groups[following[chosen]].ravel())
            following[chosen] += 1
            left[chosen] -= 1
            for place in -np.sort(-places[left[chosen] == 0]):  # the last one takes the place of one that has none left
                count -= 1
                alive[place] = alive[count]
        return np.concatenate(batches)
