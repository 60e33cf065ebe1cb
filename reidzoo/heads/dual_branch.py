"""The head of a backbone with a global and a local branch."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.checks import WIDTH, check, one_of
from reidzoo.errors import ConfigError
from reidzoo.heads.branch_classifier import BranchClassifier, set_branch_classifier
from reidzoo.heads.classifier import CLASSIFIER
from reidzoo.heads.linear_norm_relu import linear_norm_relu
from reidzoo.heads.pooling import build_pooling
from reidzoo.registry import HEAD

__all__ = ["DualBranchHead"]


@HEAD.register_module()
class DualBranchHead(nn.Module):
    """Pools a global feature and those of the upper and the lower half, ADIN (Yuan et al., WACV 2020), Fig. 4.

    The map is ``DualBranchResNet``'s: its first half of the channels is the global branch, the second the local one.
    The global branch is pooled and goes through Linear + BN + ReLU to g. The local branch goes

    * ``reduction: conv`` (Fig. 4, the code's "multibranch1") through a 1x1 convolution without bias, BN and ReLU, and
      is then pooled over its upper and its lower half to l0 and l1;
    * ``reduction: linear`` (the code's "multibranch2") the other way round: pooled over its halves, and each half
      through a Linear + BN + ReLU of its own.

    ``feat`` and ``embedding`` are the same tensor, g, l0 and l1 side by side. Each has a classifier of its own:
    the logits are (B, 3, num_classes), and losses of such logits add the branches up.

    The Linear layers are initialised as ADIN's other ones, Kaiming normal (fan out) and bias 0.

    Args:
        in_channels: channels of both branches together, 2 C.
        num_classes: identities; 0 makes no classifier.
        width: of each of the three features, 1 to 65536.
        reduction: "conv" or "linear".
        pooling: by its name, see ``build_pooling``; "avg" in the paper.
        classifier: "linear", or "cosine" (``CosineClassifier``) for losses of margin softmax.

    Attributes:
        num_maps: 2, which the backbone has to return.
        num_classes, embedding_dim: classes, and 3 times the width.
        classifier: takes the embedding; None for 0 identities.

    Raises:
        ConfigError: an odd number of channels, or an unknown reduction.
    """

    classifier: BranchClassifier | None
    num_classes: int

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        width: int = 1024,
        reduction: str = "conv",
        pooling: str = "avg",
        classifier: str = "linear",
    ) -> None:
        super().__init__()
        if in_channels % 2:
            raise ConfigError(
                f"DualBranchHead needs two branches, such as DualBranchResNet's; got {in_channels} channels"
            )
        check(self, WIDTH, width=width)
        check(self, one_of("conv", "linear"), reduction=reduction)
        check(self, CLASSIFIER, classifier=classifier)
        channels = in_channels // 2
        self.num_maps, self.embedding_dim, self.kind = 2, 3 * width, classifier
        self.pooling = build_pooling(pooling)
        self.global_fc = linear_norm_relu(channels, width)
        self.reduction = self.local_fc = None
        if reduction == "conv":
            conv = nn.Conv2d(channels, width, 1, bias=False)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            self.reduction = nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())
        else:
            self.local_fc = nn.ModuleList(linear_norm_relu(channels, width) for _ in range(2))
        self.reset_classifier(num_classes)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat`` and ``embedding``, both (B, 3 width), in training also ``logits`` (B, 3, num_classes).

        Args:
            maps: (B, 2 C, h, w); where h is odd, both halves have the middle row.
        """
        whole, local = maps.chunk(2, dim=1)
        if self.reduction is not None:
            local = self.reduction(local)
        height = local.shape[2]
        halves = [self.pooling(local[:, :, : (height + 1) // 2]), self.pooling(local[:, :, height // 2 :])]
        if self.local_fc is not None:
            halves = [layer(half) for layer, half in zip(self.local_fc, halves)]
        feat = torch.cat([self.global_fc(self.pooling(whole)), *halves], dim=1)
        outputs = {"feat": feat, "embedding": feat}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(feat)
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifiers by new ones, as ``BNNeck.reset_classifier`` does.

        Args:
            num_classes: identities; 0 removes them.
            centroids: (num_classes, 3 width) class means; each branch's rows are its third of them, L2-normalised.
        """
        set_branch_classifier(self, self.embedding_dim, num_classes, 3, centroids, self.kind)
