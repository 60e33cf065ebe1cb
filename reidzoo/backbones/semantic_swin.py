"""SOLIDER's Swin transformer, with its semantic controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from reidzoo.backbones.semantic_merging import SemanticMerging
from reidzoo.backbones.solider_layout import from_solider, is_solider
from reidzoo.backbones.timm_backbone import TimmBackbone
from reidzoo.checks import ARGUMENTS, PROBABILITY, TEXT, check, optional
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import BACKBONE

__all__ = ["SemanticSwin"]


@BACKBONE.register_module()
class SemanticSwin(TimmBackbone):
    """A Swin that shares semantics and appearance out as told: SOLIDER's (Chen et al., CVPR 2023).

    It is timm's Swin (``pip install 'reidzoo[timm]'``) with the places in which the authors' code differs from it: maps
    are padded to whole windows before they are shifted, not after it; every second block shifts, also where a map is no
    larger than a window, as in the last stage; and what each stage but the last passes on is scaled and shifted by the
    semantic controller, see ``SemanticMerging``. With the weights of the pre-training, re-identification starts from
    people; the controller stays as it was learnt there.

    Args:
        name: timm's name of a Swin: ``swin_tiny_patch4_window7_224``, ``swin_small_...`` or ``swin_base_...``, which
            the authors have.
        pretrained: "" or false for random weights; a file of the authors' pre-training or its teacher alone, as their
            ``convert_model.py`` writes it; or a run's of this class. Their fine-tuned models are converted: ``reidzoo
            convert --from solider``. Without the controller also those that ``TimmBackbone`` takes.
        semantic_weight: share of semantics against appearance in [0, 1]; 0.2 in the authors' re-identification (1.0 by
            default in their code), null for a Swin without the controller.
        drop_path: as for ``TimmBackbone``; 0.1 in the authors' configuration.
        options: further arguments of ``timm.create_model``.

    Raises:
        ConfigError: timm is not installed, or the network is not a Swin of its.
        WeightsError: ``pretrained`` names weights that do not exist, have no controller, or do not fit.
    """

    def __init__(
        self,
        name: str = "swin_tiny_patch4_window7_224",
        pretrained: str | bool = "",
        semantic_weight: float | None = 0.2,
        drop_path: float = 0.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        check("SemanticSwin", TEXT, name=name)
        check("SemanticSwin", optional(PROBABILITY), semantic_weight=semantic_weight)
        check("SemanticSwin", ARGUMENTS, options=options)
        if not name.startswith("swin_"):
            raise ConfigError(f"SemanticSwin: {name} is not a Swin of timm's, such as swin_tiny_patch4_window7_224")
        self.semantic_weight = semantic_weight
        super().__init__(name, pretrained, drop_path=drop_path, options={"always_partition": True, **(options or {})})

    def _finish(self) -> None:
        for number, layer in enumerate(self.net.layers):
            for block in layer.blocks:
                block._attn = partial(_padded, block._attn, block.window_size)
            if number and self.semantic_weight is not None:
                channels = layer.downsample.reduction.out_features
                layer.downsample = SemanticMerging(layer.downsample, channels, self.semantic_weight)

    def _translate(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if is_solider(state):
            state = {f"net.{name}": tensor for name, tensor in from_solider(state).items()}
        if self.semantic_weight is not None and not any(name.endswith(".scale_weight") for name in state):
            raise WeightsError(
                "SemanticSwin: the weights have no semantic controller, as those of SOLIDER's pre-training have; for "
                "weights of another origin set semantic_weight: null"
            )
        return state


def _padded(
    attend: Callable[[torch.Tensor], torch.Tensor], window: tuple[int, int], maps: torch.Tensor
) -> torch.Tensor:
    """Return the attention of (B, H, W, C) that is padded to whole windows first."""
    rows, columns = maps.shape[1:3]
    padded = functional.pad(maps, (0, 0, 0, -columns % window[1], 0, -rows % window[0]))
    return attend(padded)[:, :rows, :columns]
