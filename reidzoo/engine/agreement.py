"""Finds where the weights or buffers of a run's processes have diverged."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from reidzoo.distributed import gather_objects, world_size
from reidzoo.errors import UserError

__all__ = ["check_agreement"]

TOLERANCE = 1e-6
"""How much sums may differ, as a share of the sum of absolute values: more than rounding, less than an epoch does."""

Digest = tuple[str, tuple[int, ...], float, float, float]


@torch.no_grad()
def check_agreement(parts: nn.ModuleDict) -> None:
    """Check that every process has the same parameters and buffers, since rank 0's alone are saved.

    What is compared are two sums of each tensor, so that it costs no more than reading them once. Every process has to
    call it.

    Raises:
        UserError: a tensor differs; the message names its part and it, and what has to be gathered. Every process
            raises it.
    """
    if world_size() == 1:
        return
    tensors = [(name, tensor) for name, part in parts.items() for tensor in part.state_dict().items()]
    mine = {(name, key): _digest(tensor) for name, (key, tensor) in tensors if isinstance(tensor, Tensor)}
    first, *others = gather_objects(mine)
    for digests in others:
        for name, key in dict.fromkeys([*first, *digests]):
            if not _agree(first.get((name, key)), digests.get((name, key))):
                raise UserError(_message(name, key, parts))


def _digest(tensor: Tensor) -> Digest:
    """Return the type, the shape, the sum, the sum of rows times their numbers, and the sum of absolute values."""
    rows = tensor.flatten(1) if tensor.dim() > 1 else tensor.reshape(-1, 1)
    rows = rows if rows.is_floating_point() else rows.double()
    sums = rows.sum(1, dtype=torch.float64)
    numbers = torch.arange(1, len(sums) + 1, dtype=torch.float64, device=sums.device) / max(len(sums), 1)
    size = torch.linalg.vector_norm(rows, 1, dtype=torch.float64)
    found = torch.stack([sums.sum(), (sums * numbers).sum(), size]).tolist()
    return str(tensor.dtype), tuple(tensor.shape), *found


def _agree(one: Digest | None, other: Digest | None) -> bool:
    if one is None or other is None or one[:2] != other[:2]:
        return False
    if not all(map(math.isfinite, one[2:] + other[2:])):
        return all(a == b or (a != a and b != b) for a, b in zip(one[2:], other[2:]))
    most = TOLERANCE * max(one[4], other[4]) if "float" in one[0] else 0.0
    return all(abs(a - b) <= most for a, b in zip(one[2:4], other[2:4]))


def _message(part: str, key: str, parts: nn.ModuleDict) -> str:
    kind = "parameter" if part in parts and key in dict(parts[part].named_parameters()) else "buffer"
    return (
        f"the {kind} {key!r} of the part {part!r} is not the same in all processes, and only the first one's would be "
        f"saved. Whatever changes it has to see the whole batch: a trainer calls memory.update(gather(feat), "
        f"gather(index)) with reidzoo.distributed.gather, weights are moved by an optimizer's minimize, and a batch "
        f"norm outside of the model goes through reidzoo.models.convert_batch_norm. Until then, train in one process"
    )
