"""Check of the identity labels that a loss is given."""

from __future__ import annotations

from torch import Tensor

__all__ = ["check_labels"]


def check_labels(pid: Tensor, num_classes: int | None = None) -> None:
    """Check that every label is an identity: images of pid -1, which have none, would count as one person's.

    Labels on an accelerator are not checked, which would make every step wait for the device.

    Args:
        pid: (B,) integers.
        num_classes: the labels must be below it; None where any identity will do.

    Raises:
        ValueError: a label is outside [0, num_classes), such as -1 for junk and for what has no label.
    """
    if pid.device.type != "cpu" or not pid.numel():
        return
    low, high = int(pid.min()), int(pid.max())
    if low < 0 or (num_classes is not None and high >= num_classes):
        wanted = "at least 0" if num_classes is None else f"in [0, {num_classes})"
        raise ValueError(f"labels must be {wanted}, got values from {low} to {high}")
