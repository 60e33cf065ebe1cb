"""SpCL's hybrid memory of source classes and target images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.add_rows import add_rows
from reidzoo.checks import PROBABILITY, check, number
from reidzoo.memories.moved_rows import checked_rows, move_rows
from reidzoo.registry import MEMORY
from reidzoo.to_device import to_device

__all__ = ["HybridMemory"]


@MEMORY.register_module()
class HybridMemory(nn.Module):
    """Holds one centroid per source class and one feature per target image, and scores features by class.

    Ge et al., "Self-paced contrastive learning with hybrid memory" (NeurIPS 2020), Eq. 1 to 4. Rows 0..S-1 are the S
    source classes, rows S..S+N-1 the N target images. The classes are the S source classes, then the target clusters
    and outliers, each outlier a class of its own; rows of images that are left out are in no class. The score of a
    class is the mean inner product with its rows over the temperature; cross entropy of the scores against
    ``targets(index)`` is the paper's loss. The authors' code adds 1e-6 inside its softmax and its logarithm; this does
    not, and subtracts the maximum instead.

    A target class's score is the inner product with the sum of its rows, over their number. The sums are kept up to
    date row by row, not computed again at every step, and are part of the state, so that a run resumed in the middle of
    an epoch continues bit by bit. ``relabel`` computes them again.

    Call ``initialise`` once and ``relabel`` whenever the target is clustered. Neither ``update`` nor ``relabel`` may
    come between a ``forward`` and its backward pass; autograd reports it.

    Args:
        dim: D, the features' dimension.
        num_source: S; may be 0.
        num_target: N.
        temperature: divides the inner products; positive.
        momentum: the old row's share m in an update, in [0, 1].

    Attributes:
        features: (S + N, D) float32 buffer of L2-normalised rows.
        labels: (S + N,) int64 buffer, the class of each row; -1 for target rows of no class, and before ``relabel``.
        target_sums: (classes of the target, D) float32 buffer.

    Raises:
        ConfigError: an argument is out of its range.
    """

    features: Tensor
    labels: Tensor
    target_sums: Tensor
    target_scale: Tensor

    def __init__(
        self, dim: int, num_source: int, num_target: int, temperature: float = 0.05, momentum: float = 0.2
    ) -> None:
        super().__init__()
        check(self, number(above=0), temperature=temperature)
        check(self, PROBABILITY, momentum=momentum)
        self.num_source = num_source
        self.num_target = num_target
        self.temperature = temperature
        self.momentum = momentum
        labels = torch.cat([torch.arange(num_source), torch.full((num_target,), -1)])
        self.register_buffer("features", torch.zeros(num_source + num_target, dim))
        self.register_buffer("labels", labels)
        self.register_buffer("target_sums", torch.zeros(0, dim))
        # 1 / (class size * temperature); follows from the labels, so it is not saved.
        self.register_buffer("target_scale", torch.zeros(0), persistent=False)

    @property
    def num_classes(self) -> int:
        """Source classes plus target clusters and outliers: the number of columns of the scores."""
        return self.num_source + len(self.target_sums)

    @torch.no_grad()
    def initialise(self, source_centroids: Tensor, target_features: Tensor) -> None:
        """Set every row, normalised, from ``source_centroids`` (S, D) and ``target_features`` (N, D).

        Raises:
            ValueError: a shape does not fit.
        """
        for name, values, rows in (
            ("source_centroids", source_centroids, self.num_source),
            ("target_features", target_features, self.num_target),
        ):
            if values.shape != (rows, self.features.shape[1]):
                expected = (rows, self.features.shape[1])
                raise ValueError(f"{name} must have shape {expected}, got {tuple(values.shape)}")
        self.features[: self.num_source] = F.normalize(source_centroids.to(self.features), dim=1)
        self.features[self.num_source :] = F.normalize(target_features.to(self.features), dim=1)
        self._sum_classes(len(self.target_sums))

    @torch.no_grad()
    def relabel(self, target_labels: Tensor) -> None:
        """Assign the target images to classes.

        Args:
            target_labels: (N,) int64, every number of 0..max used: clusters, and a number of its own for each outlier,
                or -1 for one that is to be in no class.

        Raises:
            ValueError: a wrong shape, a label below -1, or a number that no image has.
        """
        if target_labels.shape != (self.num_target,) or target_labels.dtype != torch.int64:
            shown = f"{target_labels.dtype} of shape {tuple(target_labels.shape)}"
            raise ValueError(f"target_labels must be int64 of shape ({self.num_target},), got {shown}")
        if self.num_target and int(target_labels.min()) < -1:
            raise ValueError("target_labels must be -1 or more: -1 is an image of no class")
        num_classes = int(target_labels.max()) + 1 if self.num_target else 0
        used = len(target_labels[target_labels >= 0].unique())
        if used != num_classes:
            raise ValueError(f"target_labels must use every number below {num_classes}, and use {used} of them")
        labels = target_labels.to(self.labels)
        self.labels[self.num_source :] = torch.where(labels < 0, -1, labels + self.num_source)
        self._sum_classes(num_classes)

    def targets(self, index: Tensor) -> Tensor:
        """Return the classes (B,) of the memory rows ``index`` (B,): the columns of their scores."""
        return self.labels[index]

    def forward(self, feat: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the scores (B, classes) of L2-normalised ``feat`` (B, D), in float32.

        ``index`` is part of every memory's signature; these scores do not depend on it.

        Raises:
            RuntimeError: no target image has a class: the target has not been clustered, or every label is -1.
        """
        if self.num_target and not len(self.target_sums):
            raise RuntimeError(
                f"HybridMemory: none of the {self.num_target:,} target images has a class; call relabel() with the "
                f"target's clusters, and with labels of 0 or more, before a forward pass"
            )
        with torch.autocast(feat.device.type, enabled=False):
            feat = feat.to(self.features.dtype)
            source = feat @ self.features[: self.num_source].t() / self.temperature
            target = feat @ self.target_sums.t() * self.target_scale
            return torch.cat([source, target], dim=1)

    @torch.no_grad()
    def update(self, feat: Tensor, index: Tensor) -> None:
        """Move the rows ``index`` (B,) towards ``feat`` (B, D): v <- m v + (1 - m) f, normalised.

        A row that occurs several times is moved as often, in the order of the batch. With several processes all give
        the whole batch, so that their memories stay the same. Give an ``index`` on the CPU, such as a ``HostCopy``'s:
        the rows are put in order there, and for one on another device the step waits.

        Raises:
            IndexError: a row is outside 0..S+N-1.
        """
        rows = checked_rows(self.features, index)
        target_rows = to_device(np.unique(rows[rows >= self.num_source]), self.features.device)
        before = self.features[target_rows]
        move_rows(self.features, rows, feat, self.momentum)
        if len(self.target_sums):
            self._add_to_sums(self.labels[target_rows], self.features[target_rows] - before)

    def _add_to_sums(self, labels: Tensor, rows: Tensor) -> None:
        """Add ``rows`` (n, D) to the sums of their classes; those of no class add zeros to the first one's."""
        rows = rows * (labels >= 0)[:, None]
        add_rows(self.target_sums, (labels - self.num_source).clamp(min=0), rows)

    def _sum_classes(self, num_classes: int) -> None:
        self.target_sums = self.features.new_zeros(num_classes, self.features.shape[1])
        if num_classes:
            self._add_to_sums(self.labels[self.num_source :], self.features[self.num_source :])
        self._scale_classes()

    def _scale_classes(self) -> None:
        labels = self.labels[self.num_source :]
        counts = torch.bincount(labels[labels >= 0] - self.num_source, minlength=len(self.target_sums))
        self.target_scale = (counts * self.temperature).reciprocal().to(self.features)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # The number of target classes is the checkpoint's, not this object's.
        saved = state_dict.get(prefix + "target_sums")
        if saved is not None:
            self.target_sums = self.target_sums.new_zeros(saved.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._scale_classes()
