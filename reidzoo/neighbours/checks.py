"""Checks of arguments of the evaluation and the clustering; every complaint says what, where, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from reidzoo.errors import ClusteringError, EvaluationInputError, UserError

__all__ = ["as_device", "as_ids", "check_choice", "check_count", "check_seed", "check_whole"]


def as_device(device: str | torch.device) -> torch.device:
    """Return the device that is named.

    Raises:
        EvaluationInputError: it is none, or one of CUDA's that torch does not find.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):  # torch lists what it was ever ported to
        raise EvaluationInputError(f"device={device!r} names no device; there are cpu, cuda and cuda:1.") from None
    if found.type == "cuda" and (found.index or 0) >= (count := torch.cuda.device_count()):
        raise EvaluationInputError(f"device={str(device)!r}: torch finds {count} CUDA devices; use device='cpu'.")
    return found


def as_ids(values: Any, name: str, length: int, owner: str) -> np.ndarray:
    """Return ids or cameras as int64 (length,).

    Args:
        values: a list, array or tensor of integers.
        name: what the user called it, for the message.
        length: how many there must be.
        owner: the argument that sets the length, for the message.

    Raises:
        EvaluationInputError: not one integer per row of ``owner``.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists within the list, of different lengths
        raise EvaluationInputError(f"{name}: {error}; give one integer per row of {owner}.") from None
    if array.ndim != 1 or len(array) != length:
        raise EvaluationInputError(
            f"{name} has shape {array.shape}, but {owner} has {length} rows; give one integer per row."
        )
    if array.dtype.kind not in "iu":
        raise EvaluationInputError(f"{name} holds {array.dtype} values; ids and cameras must be integers.")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise EvaluationInputError(f"{name} holds {int(array.max())}, which does not fit a signed 64-bit integer.")
    return array.astype(np.int64)


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    """Complain unless ``value`` is one of ``choices``.

    Raises:
        EvaluationInputError: it is not.
    """
    if not isinstance(value, str) or value not in choices:
        raise EvaluationInputError(f"{name}={value!r} is not known; choose one of {', '.join(choices)}.")


def check_count(value: Any, name: str) -> int:
    """Return ``value`` as an int if it is a whole number of at least 1.

    Raises:
        EvaluationInputError: it is not.
    """
    if not _is_whole(value, 1):
        raise EvaluationInputError(f"{name}={value!r}: expected a whole number of at least 1.")
    return int(value)


def check_seed(value: Any, error: type[UserError] = EvaluationInputError) -> int:
    """Return the seed ``value`` as an int, which is of any size; raises ``error`` unless it is whole and at least 0."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise error(f"seed={value!r}: expected a whole number of at least 0.")
    return int(value)


def check_whole(value: Any, name: str, least: int = 1) -> None:
    """Complain unless ``value``, a setting of a clustering, is a whole number of at least ``least``.

    Raises:
        ClusteringError: it is not.
    """
    if not _is_whole(value, least):
        raise ClusteringError(f"{name}: expected a whole number of at least {least}, got {value!r}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value < 2**31)
