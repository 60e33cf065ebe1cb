"""CLIP-ReID's contrastive loss of images and texts."""

from __future__ import annotations

from torch import Tensor, nn

from reidzoo.losses.labels import check_labels
from reidzoo.registry import LOSS

__all__ = ["ImageTextLoss"]


@LOSS.register_module()
class ImageTextLoss(nn.Module):
    """``L_i2t + L_t2i``: each image is to have the texts of its identity nearest, and each text its identity's images.

    Li et al., "CLIP-ReID" (AAAI 2023), both as supervised contrast (Khosla et al., NeurIPS 2020): the mean over the
    batch of ``-1 / |P(i)| sum_p log(exp(s_ip) / sum_a exp(s_ia))``, where p are the batch's entries of i's identity, a
    all entries, and s the inner products of image i with the texts, or of text i with the images, neither normalised
    nor scaled. As in the authors' code the batch has a text for each image, so that a text may occur several times.
    """

    def forward(self, image: Tensor, text: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            image: (B, P) features of images.
            text: (B, P) features of the texts of their identities.
            pid: (B,) identities.

        Raises:
            ValueError: a pid is negative: no identity.
        """
        check_labels(pid)
        similarity = image @ text.t()
        same = (pid[:, None] == pid[None, :]).to(similarity.dtype)
        share = same / same.sum(1, keepdim=True)
        towards_texts = (similarity.log_softmax(1) * share).sum(1).mean()
        towards_images = (similarity.t().log_softmax(1) * share).sum(1).mean()
        return -(towards_texts + towards_images)
