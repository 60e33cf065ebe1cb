"""The maximum mean discrepancy of two sets of features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from torch import Tensor, nn
from torch.nn import functional

from reidzoo.checks import FLAG, check, each, number
from reidzoo.losses.squared_distances import squared_distances
from reidzoo.registry import LOSS

__all__ = ["MMDLoss"]


@LOSS.register_module()
class MMDLoss(nn.Module):
    """The squared maximum mean discrepancy of the features of two domains or views.

    Gretton et al., "A kernel two-sample test" (JMLR 2012), Eq. 5, the biased estimate, with the kernel ``sum_sigma
    exp(-|x - y|^2 / (2 sigma^2))``. It is in the code that ARN's authors published, not in their paper, and the term of
    deep adaptation networks (Long et al., ICML 2015), with equal weights of the kernels.

    Args:
        sigmas: of the kernel, positive, in the units of the features' distance.
        root: return its root, as the code does. Its gradient does not fall as the domains come to agree: the root's
            own has no bound at 0.
    """

    def __init__(self, sigmas: Sequence[float] = (1.0, 2.0, 10.0), root: bool = False) -> None:
        super().__init__()
        check(self, each(number(above=0), least=1), sigmas=sigmas)
        check(self, FLAG, root=root)
        self.sigmas, self.root = tuple(sigmas), root

    def forward(self, source_feat: Tensor, target_feat: Tensor) -> Tensor:
        """Return the scalar loss of features (B, D) and (B', D)."""
        within = self._kernel(source_feat, source_feat) + self._kernel(target_feat, target_feat)
        squared = within - 2 * self._kernel(source_feat, target_feat)
        return functional.relu(squared).sqrt() if self.root else squared

    def _kernel(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the kernel's mean over all pairs."""
        squared = squared_distances(first, second)
        return reduce(add, ((-squared / (2 * sigma**2)).exp().mean() for sigma in self.sigmas))
