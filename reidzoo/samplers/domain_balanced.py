"""Domain-balanced P x K sampling: as many images from every domain."""

from __future__ import annotations

import copy

import numpy as np

from reidzoo.checks import check, whole
from reidzoo.errors import ConfigError
from reidzoo.registry import SAMPLER
from reidzoo.samplers.base import BatchSampler
from reidzoo.samplers.identity import IdentitySampler
from reidzoo.samplers.label_columns import LabelColumns

__all__ = ["DomainBalancedSampler"]


@SAMPLER.register_module()
class DomainBalancedSampler(BatchSampler):
    """Joins one batch of ``IdentitySampler`` per domain into each batch, in the order of the domains.

    A pass ends with the domain that has most batches; the others start over meanwhile.

    Args:
        data: the training set; images of identity -1 are never drawn.
        batch_size: images per batch, over all domains and processes.
        num_instances: K, 1 or more.

    Raises:
        ConfigError: the batch size is not a multiple of K times the number of domains.
        DatasetError: one pass over a domain has fewer images than its share of a batch.
    """

    def __init__(self, data: LabelColumns, batch_size: int, num_instances: int = 4) -> None:
        super().__init__(data, batch_size)
        check(self, whole(1), num_instances=num_instances)
        present = np.unique(self.domains[self.pids != -1]).tolist() or [0]
        if batch_size % (len(present) * num_instances):
            raise ConfigError(
                f"DomainBalancedSampler: the batch size must be a multiple of {num_instances} images x {len(present)} "
                f"domains, got {batch_size}"
            )
        self.samplers = []
        for domain in present:
            of_domain = copy.copy(data)
            of_domain.pids = np.where(self.domains == domain, self.pids, -1)
            self.samplers.append(IdentitySampler(of_domain, batch_size // len(present), num_instances))

    def draw(self, rng: np.random.Generator, count: int) -> list[np.ndarray]:
        """Return ``count`` batches, or those of one pass for 0, from random numbers of ``rng``."""
        streams = rng.spawn(len(self.samplers))
        if count == 0:
            count = max(sampler.images_per_pass // sampler.batch_size for sampler in self.samplers)
        parts = [sampler.draw(stream, count) for sampler, stream in zip(self.samplers, streams)]
        return [np.concatenate(batch) for batch in zip(*parts)]
