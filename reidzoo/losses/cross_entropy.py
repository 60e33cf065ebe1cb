"""Cross entropy with label smoothing and temperature."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.checks import check, number
from reidzoo.losses.branches import each_branch
from reidzoo.losses.labels import check_labels
from reidzoo.registry import LOSS

__all__ = ["CrossEntropyLoss"]

# torch skips rows of this class. No label is to be skipped silently, so it is one that no label can be.
NO_CLASS = -(2**62)


@LOSS.register_module()
class CrossEntropyLoss(nn.Module):
    """Cross entropy of ``softmax(logits / temperature)`` against smoothed labels, mean over the batch.

    The label distribution is ``(1 - smoothing) * one_hot + smoothing / K``: uniform over all K classes, the right one
    included. DomainMix (BMVC 2021) Eq. 2 and Eq. 5; the smoothing of 0.1 and the temperature of 2 are in its released
    code only. With ``inputs: {logits: <scores of a memory>, pid: <its targets>}`` it is the contrastive loss of SpCL
    (NeurIPS 2020) Eq. 1, whose temperature is the memory's.

    Args:
        smoothing: in [0, 1).
        temperature: positive; divides the logits.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(self, smoothing: float = 0.0, temperature: float = 1.0) -> None:
        super().__init__()
        check(self, number(0, below=1), smoothing=smoothing)
        check(self, number(above=0), temperature=temperature)
        self.smoothing = smoothing
        self.temperature = temperature

    def forward(self, logits: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            logits: (B, K), or (B, n, K) of a model with n branches, whose losses are added up.
            pid: (B,) int64 class of each row, in [0, K).

        Raises:
            ValueError: a label is outside [0, K), such as -1 for junk; on an accelerator the kernel's own assertion.
        """
        if logits.dim() == 3:
            return each_branch(lambda branch: self(branch, pid), logits)
        check_labels(pid, logits.shape[1])
        return F.cross_entropy(logits / self.temperature, pid, label_smoothing=self.smoothing, ignore_index=NO_CLASS)

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"smoothing={self.smoothing}, temperature={self.temperature}"
