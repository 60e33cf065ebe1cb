"""MGN: features of the whole map and of its stripes, at several granularities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from reidzoo.checks import FLAG, WIDTH, check, each, whole
from reidzoo.errors import ConfigError
from reidzoo.heads.branch_classifier import BranchClassifier, set_branch_classifier
from reidzoo.heads.classifier import CLASSIFIER
from reidzoo.heads.part_reduction import PartReduction
from reidzoo.heads.pooling import build_pooling
from reidzoo.heads.stripes import pool_stripes
from reidzoo.registry import HEAD

__all__ = ["MGNHead"]


@HEAD.register_module()
class MGNHead(nn.Module):
    """The multiple granularity network's head (Wang et al., ACM MM 2018, Fig. 3).

    Each granularity has a map of its own, that of one branch of ``MultiBranchResNet``. It is pooled as a whole, at a
    granularity of n > 1 over n stripes as well; each pooled vector goes through a 1 x 1 convolution with batch norm and
    ReLU. Granularities 1, 2 and 3 give 3 global and 2 + 3 local features, which are the embedding, side by side.

    Every feature has a classifier, and a triplet loss takes the global ones, whose values are added up::

        LOSSES:
          id: {type: CrossEntropyLoss}
          triplet: {type: TripletLoss, margin: 1.2, inputs: {feat: global_feats}}

    In the paper's text the global features are classified before their reduction [?], here after it, as in the code
    that reproduced the paper's figures (github.com/GNAYUOHZ/ReID-MGN).

    Args:
        in_channels: channels of all granularities' maps together, one map after the other.
        num_classes: identities; 0 makes no classifier.
        width: of each feature.
        granularities: how many stripes there are in each map; 1 is the map as a whole alone.
        one_map: all granularities take the same map of ``in_channels`` channels, that of a backbone without branches.
        pooling: by its name, see ``build_pooling``; "max" in the paper.
        classifier: "linear", or "cosine" (``CosineClassifier``) for losses of margin softmax.

    Attributes:
        num_maps: how many the backbone has to return.
        num_classes, embedding_dim: classes, and the width times the number of features.
        classifier: takes the embedding; None for 0 identities.

    Raises:
        ConfigError: the channels cannot be shared evenly.
    """

    classifier: BranchClassifier | None
    num_classes: int

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        width: int = 256,
        granularities: Sequence[int] = (1, 2, 3),
        one_map: bool = False,
        pooling: str = "max",
        classifier: str = "linear",
    ) -> None:
        super().__init__()
        check(self, WIDTH, width=width)
        check(self, each(whole(1, 64), least=1), granularities=granularities)
        check(self, FLAG, one_map=one_map)
        check(self, CLASSIFIER, classifier=classifier)
        self.num_maps = 1 if one_map else len(granularities)
        if in_channels % self.num_maps:
            raise ConfigError(
                f"MGNHead needs a map for each of {self.num_maps} granularities, such as MultiBranchResNet's; got "
                f"{in_channels} channels. With one_map: true all take the same"
            )
        self.granularities, self.one_map, self.kind = tuple(granularities), one_map, classifier
        self.features = len(granularities) + sum(count for count in granularities if count > 1)
        self.embedding_dim = self.features * width
        self.pooling = build_pooling(pooling)
        self.reduction = PartReduction(in_channels // self.num_maps, width, self.features)
        self.reset_classifier(num_classes)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the features' dict of maps (B, in_channels, h, w), for m granularities with n features in all.

        It has ``global_feats`` (B, m, width), ``part_feats`` (B, n - m, width), local ones in the granularities' order
        and from the top down, ``feat`` (B, m width), the global ones side by side, ``embedding`` (B, n width), all of
        them, and in training ``logits`` (B, n, num_classes).
        """
        count = len(self.granularities)
        own = [maps] * count if self.one_map else list(maps.chunk(count, dim=1))
        pooled = [pool_stripes(one, 1, self.pooling) for one in own]
        pooled += [pool_stripes(one, n, self.pooling) for one, n in zip(own, self.granularities) if n > 1]
        features = self.reduction(torch.cat(pooled, dim=1))
        embedding, whole_ones = features.flatten(1), features[:, :count]
        outputs = {"feat": whole_ones.flatten(1), "embedding": embedding, "global_feats": whole_ones}
        if count < self.features:
            outputs["part_feats"] = features[:, count:]
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(embedding)
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifiers by new ones, as ``BNNeck.reset_classifier`` does.

        Args:
            num_classes: identities; 0 removes them.
            centroids: (num_classes, embedding_dim) class means; each feature's rows are its part of them,
                L2-normalised.
        """
        set_branch_classifier(self, self.embedding_dim, num_classes, self.features, centroids, self.kind)
