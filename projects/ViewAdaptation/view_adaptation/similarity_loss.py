"""The loss of the similarity discriminator with a contrastive term: L_Ds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.checks import FLAG, check, number, one_of
from reidzoo.errors import ConfigError
from reidzoo.registry import LOSS

__all__ = ["SimilarityLoss", "adaptive_weights"]


@LOSS.register_module()
class SimilarityLoss(nn.Module):
    """L_Ds of Wu et al. (arXiv 1904.01755): Eq. 2, or with ``adaptive`` Eq. 5 with the weights of Eq. 6.

    With y = 1 for a pair of one identity, d its Euclidean distance and m the margin, ``form: corrected`` is

    * Eq. 2: ``-y log D_s - (1 - y) log (1 - D_s) + gamma (y d^2 + (1 - y) max(0, m - d)^2)``, the mean over all pairs;
    * Eq. 5: the same cross entropy, and for each probe image ``gamma (sum_p w_p d_p^2 + sum_n w_n max(0, m - d_n)^2)``,
      the mean over the probe images. w_p is the softmax of d over the image's positives, w_n that of -d over its
      negatives, neither with gradient.

    ``form: printed`` is what the paper prints: ``-y log D_s - gamma (y d^2 + (1 - y) max(0, m - d)^2)``, which is least
    for a constant D_s = 1, positives without end apart and negatives in one place; or for Eq. 5 ``sum_p (log D_s +
    w_p d_p^2) - gamma sum_n max(0, m - w_n d_n)^2`` with Eq. 6's denominator, which wants D_s = 0 for positives.

    Args:
        gamma: weight of the distances.
        margin: m, in the units of the distance.
        adaptive: Eq. 5 and 6 in place of Eq. 2.
        uniform: Eq. 5 with weights 1/|P| and 1/|N| in place of Eq. 6. In Eq. 2 a batch's positives count as the few
            pairs that they are, in Eq. 5 as much as all negatives, so that its pull is many times as hard whatever the
            weights; this is that balance without a preference for hard pairs.
        form: ``corrected`` or ``printed``.
        wn_inside: w_n within the hinge, ``max(0, m - w_n d_n)^2``, as printed: w_n d_n is nearly 0, and m no margin.
        wn_printed: w_n over the sum of exp(+d), as printed: the weights do not add up to 1 but vanish.
        log_sum: Eq. 5 adds up the logarithms over an image's pairs, of which there are dozens, next to weights that add
            up to 1, so that gamma hardly matters. By default their mean stands for the sum, as in Eq. 2.

    Raises:
        ConfigError: a negative gamma, a margin that is not positive, or an unknown form.
    """

    def __init__(
        self,
        gamma: float = 2.5,
        margin: float = 2.0,
        adaptive: bool = True,
        form: str = "corrected",
        wn_inside: bool = False,
        wn_printed: bool = False,
        log_sum: bool = False,
        uniform: bool = False,
    ) -> None:
        super().__init__()
        check(self, number(0), gamma=gamma)
        check(self, number(above=0), margin=margin)
        check(self, one_of("corrected", "printed"), form=form)
        check(
            self, FLAG, adaptive=adaptive, wn_inside=wn_inside, wn_printed=wn_printed, log_sum=log_sum, uniform=uniform
        )
        if uniform and not adaptive:
            raise ConfigError("SimilarityLoss: uniform are weights of Eq. 5; set adaptive true")
        self.gamma, self.margin, self.adaptive, self.form = gamma, margin, adaptive, form
        self.uniform = uniform
        printed = form == "printed"
        self.wn_inside, self.wn_printed, self.log_sum = wn_inside or printed, wn_printed or printed, log_sum or printed

    def forward(self, similarity: Tensor, squared_distance: Tensor, match: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            similarity: (n, m) logits of D_s for n probe and m gallery images.
            squared_distance: (n, m) d^2, positive.
            match: boolean (n, m), whether a pair is of one identity.
        """
        if self.adaptive:
            return self._equation_5(similarity, squared_distance, match)
        hinge = (self.margin - squared_distance.sqrt()).clamp(min=0).square()
        contrastive = torch.where(match, squared_distance, hinge)
        if self.form == "printed":
            return -(match * F.logsigmoid(similarity) + self.gamma * contrastive).mean()
        return (_cross_entropy(similarity, match) + self.gamma * contrastive).mean()

    def _equation_5(self, similarity: Tensor, squared_distance: Tensor, match: Tensor) -> Tensor:
        distance = squared_distance.sqrt()
        hardness = torch.zeros_like(distance) if self.uniform else distance.detach()
        w_p, w_n = adaptive_weights(hardness, match, self.wn_printed)
        pull = (w_p * squared_distance).sum(1)
        if self.wn_inside:
            push = ((self.margin - w_n * distance).clamp(min=0).square() * ~match).sum(1)
        else:
            push = (w_n * (self.margin - distance).clamp(min=0).square()).sum(1)
        if self.form == "printed":
            return ((match * F.logsigmoid(similarity)).sum(1) + pull - self.gamma * push).mean()
        logs = _cross_entropy(similarity, match)
        return ((logs.sum(1) if self.log_sum else logs.mean(1)) + self.gamma * (pull + push)).mean()

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        names = ("gamma", "margin", "adaptive", "form", "wn_inside", "wn_printed", "log_sum", "uniform")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


def adaptive_weights(distance: Tensor, match: Tensor, printed: bool = False) -> tuple[Tensor, Tensor]:
    """Return w_p and w_n (n, m) of Eq. 6; each is 0 for the other kind of pair, and a row's weights add up to 1.

    Args:
        distance: (n, m).
        match: boolean (n, m).
        printed: with Eq. 6's own denominator of w_n, the sum of exp(+d).
    """
    w_p = torch.softmax(distance.masked_fill(~match, -torch.inf), dim=1)
    w_n = torch.softmax(-distance.masked_fill(match, torch.inf), dim=1)
    if printed:
        total = torch.logsumexp(distance.masked_fill(match, -torch.inf), dim=1, keepdim=True)
        w_n = torch.exp(-distance - total) * ~match
    return w_p.nan_to_num(0.0), w_n.nan_to_num(0.0)  # a row without such pairs has none to weigh


def _cross_entropy(similarity: Tensor, match: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(similarity, match.to(similarity.dtype), reduction="none")
