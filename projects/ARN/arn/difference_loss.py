"""ARN's difference loss."""

from __future__ import annotations

from torch import Tensor, nn

from reidzoo.checks import check, one_of
from reidzoo.directions import directions
from reidzoo.registry import LOSS

__all__ = ["DifferenceLoss"]


@LOSS.register_module()
class DifferenceLoss(nn.Module):
    """``||H_c^T H_p||_F^2``, both domains' added up (Li et al., CVPRW 2018, Eq. 4); a row of H is an image's feature.

    It is 0 where no coordinate of the shared features goes with any of the private ones over the batch. The product is
    D x D; its squared norm is the sum of ``(H_c H_c^T) * (H_p H_p^T)``, element by element, and these are only B x B.

    Args:
        form: ``dsn``, rows of unit length and the mean over the D^2 elements, as in the paper that ARN has it from
            (Bousmalis et al., NIPS 2016): in [0, B^2 / D^2], a scale for which gamma is 1500. ``dsn_code``, as that
            paper's code, which first subtracts the batch's mean. ``eq4``, to the letter: smaller features suffice to
            lower it. ``code``, what the authors' code computes, ``sum_i e_c,i . e_p,i``, neither squared nor across
            images: it has no minimum, unless a ReLU keeps features positive as in that code.

    Raises:
        ConfigError: another form.
    """

    def __init__(self, form: str = "dsn") -> None:
        super().__init__()
        check(self, one_of("dsn", "dsn_code", "eq4", "code"), form=form)
        self.form = form

    def forward(
        self, source_feat: Tensor, source_private: Tensor, target_feat: Tensor, target_private: Tensor
    ) -> Tensor:
        """Return the scalar loss of features, all (B, D)."""
        return self._overlap(source_feat, source_private) + self._overlap(target_feat, target_private)

    def _overlap(self, shared: Tensor, private: Tensor) -> Tensor:
        if self.form == "code":
            return (shared * private).sum()
        if self.form == "dsn_code":
            shared, private = shared - shared.mean(0), private - private.mean(0)
        if self.form != "eq4":
            shared, private = directions(shared), directions(private)
        norm = ((shared @ shared.t()) * (private @ private.t())).sum()
        return norm if self.form == "eq4" else norm / shared.shape[1] ** 2
