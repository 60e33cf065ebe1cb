"""Calibrated negative entropy: that of a nuisance classifier's output, weighted by the nuisances' frequencies."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from reidzoo.checks import FLAG, check, one_of
from reidzoo.errors import ConfigError
from reidzoo.losses.branches import branch_log_probabilities, sum_over_branches
from reidzoo.registry import LOSS

__all__ = ["CalibratedNegativeEntropyLoss"]

FORMS = ("cane_sample", "cane_eq6", "cane_wt")
WEIGHTINGS = ("freq", "inv_freq")


@LOSS.register_module()
class CalibratedNegativeEntropyLoss(nn.Module):
    """CaNE of ADIN (Yuan et al., WACV 2020), Eq. 6, in the three forms that paper and authors' code have.

    With c the nuisance classifier's output, y the true nuisance and p the nuisances' frequencies among the training
    images, one image costs

    * ``cane_sample``: ``p_y (sum_k c_k log c_k + log K)``, the code's default: the divergence of c from uniform, with
      the weight of the image's own nuisance. **Minimum**: 0, at uniform c.
    * ``cane_eq6``: ``sum_k p_k c_k log c_k``, as printed. **Minimum**: c_k = exp(-1 + lambda / p_k), lambda such that c
      adds up to 1: not uniform. From three classes on lambda is negative and c leans to the *frequent* nuisances;
      Duke's cameras p = [.170 .182 .066 .084 .102 .224 .080 .091] have theirs at [.178 .186 .056 .085 .109 .212 .079
      .095]. With two classes lambda is positive and it leans to the rare one: p = [.8 .2] -> [.413 .587].
    * ``cane_wt``: ``sum_k p_k c_k (log c_k + log K)``, the code's "wtEntropy"; ``p_k c_k log K`` is not constant.
      **Minimum**: c_k = exp(-1 + lambda / p_k) / K with lambda > 0, which leans to the *rare* nuisances; Duke's
      cameras: [.082 .079 .206 .148 .121 .071 .157 .136].

    All of this is for frequencies above 0. A nuisance without a training image, such as a number that no camera has,
    has weight 0; then ``cane_eq6`` and ``cane_wt`` do not keep c from it: for p = [.5 .3 .2 0] the minimum of
    ``cane_wt`` is at [.092 .092 .092 .724].

    Args:
        form: one of the three.
        weighting: ``freq`` weighs by p, as the paper; ``inv_freq`` by 1 / p. The paper says that the majority "must
            not overwhelm", which p itself does not do.
        normalise_weights: make the weights' mean 1, over the training images for ``cane_sample`` and over the classes
            for the others, so that a learning rate suits it as it suits ``NegativeEntropyLoss``.
        per_class: divide by K, as the authors' code does; its learning rates go with it.

    Raises:
        ConfigError: an unknown form or weighting.
    """

    def __init__(
        self,
        form: str = "cane_sample",
        weighting: str = "freq",
        normalise_weights: bool = False,
        per_class: bool = False,
    ) -> None:
        super().__init__()
        check(self, one_of(*FORMS), form=form)
        check(self, one_of(*WEIGHTINGS), weighting=weighting)
        check(self, FLAG, normalise_weights=normalise_weights, per_class=per_class)
        self.form, self.weighting = form, weighting
        self.normalise_weights, self.per_class = normalise_weights, per_class

    def forward(self, nuisance_logits: Tensor, nuisance_label: Tensor, nuisance_prior: Tensor) -> Tensor:
        """Return the scalar loss, mean over the batch.

        Args:
            nuisance_logits: (B, K), or (B, n, K) of n branches, whose losses are added up.
            nuisance_label: int64 (B,) the images' true nuisances; only ``cane_sample`` uses them.
            nuisance_prior: (B, K) p, in each row the same.

        Raises:
            ConfigError: the frequencies are those of another nuisance, of another number of classes.
        """
        if nuisance_prior.shape[-1] != nuisance_logits.shape[-1]:
            raise ConfigError(
                f"CalibratedNegativeEntropyLoss has {nuisance_logits.shape[-1]} logits and {nuisance_prior.shape[-1]} "
                f"frequencies: for a discriminator D, map all three inputs, {{nuisance_logits: D_logits, "
                f"nuisance_label: D_label, nuisance_prior: D_prior}}"
            )
        log_c = branch_log_probabilities(nuisance_logits)
        c, weights = log_c.exp(), self.weights(nuisance_prior)
        if self.form == "cane_sample":
            divergence = (c * log_c).sum(-1) + math.log(log_c.shape[-1])
            values = weights.gather(1, nuisance_label[:, None]) * divergence
        else:
            shift = math.log(log_c.shape[-1]) if self.form == "cane_wt" else 0.0
            values = (weights[:, None] * c * (log_c + shift)).sum(-1)
        loss = sum_over_branches(values)
        return loss / log_c.shape[-1] if self.per_class else loss

    def weights(self, prior: Tensor) -> Tensor:
        """Return the classes' weights (B, K) of frequencies (B, K)."""
        weights = prior
        if self.weighting == "inv_freq":
            weights = torch.where(prior > 0, 1 / prior.clamp(min=1e-12), torch.zeros_like(prior))
        if self.normalise_weights:
            mean = (prior * weights).sum(1) if self.form == "cane_sample" else weights.mean(1)
            weights = weights / mean[:, None]
        return weights

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        names = ("form", "weighting", "normalise_weights", "per_class")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)
