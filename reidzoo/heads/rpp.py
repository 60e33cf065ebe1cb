"""RPP: PCB with parts that are found in the map instead of stripes."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from reidzoo.heads.pcb import PCBHead
from reidzoo.registry import HEAD

__all__ = ["RPPHead"]


@HEAD.register_module()
class RPPHead(PCBHead):
    """Refined part pooling (Sun et al., ECCV 2018, section 3.3): every place of the map is shared among the parts.

    A part classifier, Eq. 2, gives each place f of the map its probabilities of the p parts, ``P = softmax(W f + b)``;
    part i is pooled as ``g_i = p mean(P_i f)`` over the map. The factor p is the authors' code's: where all parts are
    alike, each is the map's mean. The code's centring of f and its dropout before W are left out. The rest is
    ``PCBHead``.

    The paper trains PCB, then W alone with all else frozen, then everything: three stages, of which the second starts
    with ``MODEL.WEIGHTS: stage:pcb``, ``WEIGHTS_IGNORE: [head.part_classifier.*]`` and ``FreezeHook`` with ``modules:
    [backbone, head.reduction, head.classifier]``.

    Args:
        in_channels, num_classes, parts, width, dropout, shared, embedding, classifier: as for ``PCBHead``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        parts: int = 6,
        width: int = 256,
        dropout: float = 0.5,
        shared: bool = True,
        embedding: str = "reduced",
        classifier: str = "linear",
    ) -> None:
        super().__init__(in_channels, num_classes, parts, width, dropout, shared, embedding, classifier=classifier)
        self.part_classifier = nn.Conv2d(in_channels, parts, 1)
        nn.init.kaiming_normal_(self.part_classifier.weight, mode="fan_out")
        nn.init.zeros_(cast(torch.Tensor, self.part_classifier.bias))

    def pool(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the g_i (B, p, C) of maps (B, C, h, w)."""
        shares = self.part_classifier(maps).softmax(1).flatten(2)
        places = maps.flatten(2)
        dtype = torch.promote_types(maps.dtype, torch.float32)
        with torch.autocast(maps.device.type, enabled=False):
            sums = shares.to(dtype) @ places.to(dtype).transpose(1, 2)
        return sums * (self.parts / places.shape[2])
