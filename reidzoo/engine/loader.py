"""Loads batches of training sets onto the device: the only place where images, labels and random draws meet.

The batches of an epoch are lists of rows that the samplers give from (seed, epoch) alone, and augmentation draws from
(seed, epoch, step) for the whole batch. So neither the number of loader workers nor the number of processes, nor a
restart in the middle of an epoch, changes a single pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo import distributed
from reidzoo.datasets import TrainSet
from reidzoo.engine.image_table import ImageTable
from reidzoo.errors import ConfigError
from reidzoo.one_thread import one_thread
from reidzoo.registry import SAMPLER
from reidzoo.to_device import to_device
from reidzoo.transforms import BatchDraw

__all__ = ["TrainLoader"]

LABELS = ("pid", "camid", "domain", "timeid", "viewid", "index")
STYLE_STREAM = 2**16
"""The random stream of the camera styles' draws; the augmentation of views draws from streams 0, 1, ..."""


class TrainLoader:
    """Yields the batches of one or several named training sets.

    Args:
        sets: name -> training set. One set gives flat batches, several give ``{name: batch}``.
        sampler: the SAMPLER node, built again at each epoch since labels may have changed.
        transform: augmentation of whole batches, ``transform(images, draw)``.
        table: the images of all sets, in the sets' order, then the sets' style images.
        batch_size: images per set and step, over all processes.
        iters: steps per epoch; 0 for one pass of the first set's sampler.
        seed: the run's seed.
        workers: loader processes; see ``worker_count``.
        device: where the batches go.
        views: independently augmented copies of each image: ``img``, ``img2``, ... The first is what one view gives.

    Attributes:
        length: the steps of the epoch that ``plan`` or ``epoch`` was asked for last.

    Raises:
        ConfigError: the batch cannot be shared evenly among the processes, or ``views`` is below 1.
    """

    def __init__(
        self,
        sets: Mapping[str, TrainSet],
        sampler: Mapping,
        transform: Callable[[Tensor, BatchDraw], Tensor],
        table: ImageTable,
        *,
        batch_size: int,
        iters: int,
        seed: int,
        workers: int | str,
        device: torch.device,
        views: int = 1,
    ) -> None:
        ranks = distributed.world_size()
        if batch_size % ranks:
            raise ConfigError(f"SOLVER.IMS_PER_BATCH {batch_size} cannot be shared by {ranks} processes evenly")
        if views < 1:
            raise ConfigError(f"INPUT.VIEWS must be 1 or more, got {views}")
        self.sets, self.sampler, self.transform, self.table = sets, sampler, transform, table
        self.batch_size, self.iters, self.seed, self.workers, self.device = batch_size, iters, seed, workers, device
        self.view_names = ["img", *(f"img{view}" for view in range(2, views + 1))]
        share = batch_size // ranks
        self.slice = slice(distributed.rank() * share, (distributed.rank() + 1) * share)
        starts = np.cumsum([0, *map(len, sets.values()), *(len(s.style_paths) for s in sets.values())])
        self.offsets, self.style_offsets = dict(zip(sets, starts)), dict(zip(sets, starts[len(sets) :]))
        self.length = iters

    def plan(self, epoch: int) -> dict[str, list[np.ndarray]]:
        """Return each set's batches of rows for ``epoch``, of all processes together.

        Raises:
            ConfigError: a sampler returns no batch, fewer than it was asked for, or one that is not ``batch_size`` rows
                of the set.
        """
        plan, self.length = self._plan(epoch)
        return plan

    def _plan(self, epoch: int) -> tuple[dict[str, list[np.ndarray]], int]:
        plan: dict[str, list[np.ndarray]] = {}
        count = self.iters
        for name, data in self.sets.items():
            sampler = SAMPLER.build(self.sampler, data=data, batch_size=self.batch_size)
            who = f"SAMPLER: {type(sampler).__name__}, of {name!r} in epoch {epoch + 1},"
            plan[name] = _checked(sampler.batches(self.seed, epoch, count), who, count, self.batch_size, len(data))
            count = count or len(plan[name])
        return plan, count

    def epoch(self, epoch: int, start: int = 0) -> Iterator[dict]:
        """Yield the batches of ``epoch`` from step ``start`` on."""
        plan = self.plan(epoch)
        yield from self._batches(plan, epoch, range(start, self.length))

    def draw(self, epoch: int, count: int) -> Iterator[dict]:
        """Yield the first ``count`` batches of ``epoch``, or all if it has fewer; ``length`` stays that of another."""
        plan, length = self._plan(epoch)
        yield from self._batches(plan, epoch, range(min(count, length)))

    def _batches(self, plan: Mapping[str, list[np.ndarray]], epoch: int, steps: range) -> Iterator[dict]:
        local = {name: [rows[self.slice] for rows in batches] for name, batches in plan.items()}
        table_rows = [
            np.concatenate([self._files(n, name, epoch, step, local[name][step]) for n, name in enumerate(self.sets)])
            for step in steps
        ]
        workers = self.table.count_workers(table_rows, self.workers)
        for step, images in enumerate(self.table.batches(table_rows, workers), steps.start):
            rows = {name: batches[step] for name, batches in local.items()}
            sizes, labels = [len(own) for own in rows.values()], self._labels(rows)
            images = images.to(self.device, non_blocking=True)
            parts = zip(rows.items(), images.split(sizes), labels.split(sizes, dim=1))
            # Short loops over pixels: threads that wait for each other while workers have the cores are twice as slow.
            with one_thread() if workers and self.device.type == "cpu" else nullcontext():
                batch = {
                    name: {**self._views(number, name, epoch, step, own, part), **dict(zip(LABELS, columns))}
                    for number, ((name, own), part, columns) in enumerate(parts)
                }
            yield batch if len(batch) > 1 else next(iter(batch.values()))

    def _labels(self, rows: Mapping[str, np.ndarray]) -> Tensor:
        """Return the ``LABELS`` of all sets' rows side by side, int64 (6, n), on the device: one copy for a batch."""
        columns = []
        for name, own in rows.items():
            data = self.sets[name]
            by_image = (data.pids, data.camids, data.domains, data.timeids, data.viewids)
            columns.append(np.stack([*(values[own] for values in by_image), own]))
        return to_device(np.concatenate(columns, axis=1), self.device)

    def _files(self, number: int, name: str, epoch: int, step: int, rows: np.ndarray) -> np.ndarray:
        """Return the table's rows of the images to read for ``rows`` of a set: some styles are files of their own."""
        data = self.sets[name]
        if data.styles is None:
            return rows + self.offsets[name]
        files = data.styles.files(rows, self._style_numbers(number, epoch, step))
        real = files < len(data)
        return np.where(real, files + self.offsets[name], files - len(data) + self.style_offsets[name])

    def _style_numbers(self, number: int, epoch: int, step: int) -> np.ndarray:
        """Return the numbers in [0, 1) that draw the camera style of each image of this process's share."""
        batch = step * len(self.sets) + number
        share = (self.slice.start, self.slice.stop)
        return BatchDraw(self.seed, epoch, batch, self.batch_size, *share, stream=STYLE_STREAM).uniform(1)[:, 0]

    def _views(
        self, number: int, name: str, epoch: int, step: int, rows: np.ndarray, images: Tensor
    ) -> dict[str, Tensor]:
        """Give images their styles and augment them once for each view, each with its own random draws."""
        styles, batch = self.sets[name].styles, step * len(self.sets) + number
        if styles is not None:
            images = styles.restyle(images, rows, self._style_numbers(number, epoch, step))
        share = (self.slice.start, self.slice.stop)
        return {
            view: self.transform(images, BatchDraw(self.seed, epoch, batch, self.batch_size, *share, stream=stream))
            for stream, view in enumerate(self.view_names)
        }


def _checked(batches: Any, who: str, count: int, size: int, images: int) -> list[np.ndarray]:
    """Return a sampler's batches, which every process cuts its share from, and numbers images by.

    Args:
        batches: what it returned.
        who: it, for messages.
        count: how many it was asked for; 0 for as many as it thinks right.
        size: the rows of a batch.
        images: of the training set.

    Raises:
        ConfigError: they are not what SAMPLER's contract says.
    """
    see = "see SAMPLER in reidzoo.registry, and try reidzoo.testing.check_sampler"
    if not isinstance(batches, Sequence | np.ndarray):
        raise ConfigError(f"{who} returned {type(batches).__name__} and not a list of arrays; {see}")
    if not len(batches):
        raise ConfigError(f"{who} returned no batch, so that nothing would be trained")
    if len(batches) < count:
        raise ConfigError(f"{who} returned {len(batches)} batches where {count} were asked for; {see}")
    arrays = [np.asarray(batch) for batch in batches]
    for number, rows in enumerate(arrays):
        if rows.shape != (size,) or rows.dtype.kind not in "iu":
            raise ConfigError(
                f"{who} returned a batch, number {number + 1}, of {rows.dtype} {rows.shape}; it is to be {size} whole "
                f"numbers, the rows of all processes together; {see}"
            )
    least, most = np.min(arrays), np.max(arrays)
    if least < 0 or most >= images:
        raise ConfigError(f"{who} returned rows from {least} to {most}, and the images are 0 to {images - 1}; {see}")
    return arrays
