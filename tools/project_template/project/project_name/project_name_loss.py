"""ProjectName's loss: an example to replace by the paper's own."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from reidzoo.errors import ConfigError
from reidzoo.losses.labels import check_labels
from reidzoo.registry import LOSS

__all__ = ["ProjectNameLoss"]


@LOSS.register_module()
class ProjectNameLoss(nn.Module):
    """``max(0, 1 - cos(f, c) - margin)``, mean over the images: each is pulled to its identity's centre in the batch.

    f is the image's feature of unit length, c the mean of those of its identity in the batch. Name the paper and the
    equation here, and every departure from it. **Minimum**: 0, where each identity's features lie within the margin.

    Args:
        margin: a distance in [0, 2) that costs nothing.

    Raises:
        ConfigError: a margin out of its range.
    """

    def __init__(self, margin: float = 0.1) -> None:
        super().__init__()
        if not 0 <= margin < 2:
            raise ConfigError(f"ProjectNameLoss: margin must be in [0, 2), got {margin}")
        self.margin = margin

    def forward(self, feat: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            feat: (B, D), not necessarily normalised.
            pid: (B,) identities.

        Raises:
            ValueError: a pid is negative: no identity.
        """
        check_labels(pid)
        feat = functional.normalize(feat, dim=1)
        same = (pid[:, None] == pid[None, :]).to(feat.dtype)
        centres = functional.normalize(same @ feat, dim=1)  # of unit length, the sum serves as well as the mean
        distances = 1 - (feat * centres).sum(1)
        return functional.relu(distances - self.margin).mean()
