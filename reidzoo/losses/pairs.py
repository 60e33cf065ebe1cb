"""The pairs of a batch, or of a batch and other features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from reidzoo.losses.labels import check_labels

__all__ = ["Pairs", "find_pairs"]


class Pairs(NamedTuple):
    """Pairs of rows of one set with rows of another.

    Attributes:
        other: (M, D), the second set.
        same: bool (B, M), whether a pair is of one identity; an image and itself are.
        alike: bool (B, M), the same without an image and itself.
    """

    other: Tensor
    same: Tensor
    alike: Tensor


def find_pairs(feat: Tensor, pid: Tensor, other_feat: Tensor | None, other_pid: Tensor | None) -> Pairs:
    """Return the pairs of rows of ``feat`` (B, D) with those of ``other_feat`` (M, D), or with one another.

    Raises:
        ValueError: a pid is negative: no identity; one of ``other_feat`` and ``other_pid`` is missing.
    """
    if (other_feat is None) != (other_pid is None):
        raise ValueError("other_feat needs its identities, other_pid, and these need features")
    if other_feat is None or other_pid is None:
        check_labels(pid)
        same = pid[:, None] == pid[None, :]
        return Pairs(feat, same, same & ~torch.eye(len(pid), dtype=torch.bool, device=pid.device))
    check_labels(torch.cat([pid, other_pid]))
    same = pid[:, None] == other_pid[None, :]
    return Pairs(other_feat, same, same)
