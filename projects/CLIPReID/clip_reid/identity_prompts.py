"""A sentence for each identity, some words of which are learnt, and CLIP's text tower that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.checks import TEXT, WEIGHTS, WIDTH, check, whole
from reidzoo.errors import ConfigError
from reidzoo.needs import need
from reidzoo.weights.loading import load_weights, local_file, safe_read, unwrap_state

__all__ = ["IdentityPrompts"]

IMAGE_PROJECTION = "visual.proj"
"""What a file in open_clip's layout calls the projection of the image tower's token, (C, P)."""


class IdentityPrompts(nn.Module):
    """Features of "A photo of a X X X X person.", where each identity has its own, learnt vectors in the place of X.

    Li et al., "CLIP-ReID" (AAAI 2023): M vectors an identity, [X]_1 to [X]_M, are all that is learnt; the text tower
    and its words are frozen. The tower is open_clip's (``pip install 'reidzoo[clip]'``), with the activation of
    OpenAI's weights.

    Args:
        num_classes: identities.
        dim: P, of the features: that of the image tower's projection.
        sentence: with an X for each learnt word, which stand in a row.
        width, heads, layers: of the tower; 512, 8 and 12 for ViT-B/16.
        pretrained: a file in open_clip's layout, such as
            ``hf://timm/vit_base_patch16_clip_224.openai/open_clip_model.safetensors``; "" for random weights.

    Attributes:
        contexts: (num_classes, M, width), the learnt vectors, N(0, 0.02) at first.
        image_projection: (C, P) of the same file, None without one.

    Raises:
        ConfigError: open_clip is not installed, an argument is out of its range, or the sentence has no X.
        WeightsError: the file cannot be had, or does not fit.
    """

    tokens: Tensor

    def __init__(
        self,
        num_classes: int,
        dim: int,
        sentence: str = "A photo of a X X X X person.",
        width: int = 512,
        heads: int = 8,
        layers: int = 12,
        pretrained: str = "",
    ) -> None:
        super().__init__()
        check(self, TEXT, sentence=sentence)
        check(self, WIDTH, width=width)
        check(self, whole(1, 128), heads=heads, layers=layers)
        check(self, WEIGHTS, pretrained=pretrained)
        if width % heads:
            raise ConfigError(f"IdentityPrompts: the width {width} is not a multiple of the heads, {heads}")
        open_clip = need("open_clip", "clip", "IdentityPrompts", ConfigError)
        self.num_classes = num_classes
        self.register_buffer("tokens", open_clip.tokenize(sentence), persistent=False)
        self.begin, self.end = _places(self.tokens[0], open_clip.tokenize("X")[0, 1], sentence)
        activation = open_clip.transformer.QuickGELU
        self.tower = open_clip.transformer.TextTransformer(
            width=width, heads=heads, layers=layers, output_dim=dim, act_layer=activation
        ).requires_grad_(False)
        self.contexts = nn.Parameter(torch.empty(num_classes, self.end - self.begin, width).normal_(std=0.02))
        self.image_projection = self._load(pretrained) if pretrained else None

    def forward(self, labels: Tensor) -> Tensor:
        """Return the features (B, P) of the sentences of identities ``labels``, int64 (B,)."""
        contexts = self.contexts[labels]

        def insert(_: nn.Module, __: Any, words: Tensor) -> Tensor:
            return torch.cat([words[:, : self.begin], contexts.to(words.dtype), words[:, self.end :]], dim=1)

        hook = self.tower.token_embedding.register_forward_hook(insert)
        try:
            return self.tower(self.tokens.expand(len(labels), -1))
        finally:
            hook.remove()

    def _load(self, pretrained: str) -> Tensor | None:
        """Load the tower strictly; return the image tower's projection."""
        state = unwrap_state(safe_read(local_file(pretrained)), pretrained)
        load_weights(self.tower, state, key_map=_of_the_tower(state))
        return state.get(IMAGE_PROJECTION)


def _of_the_tower(state: Mapping[str, Tensor]) -> Any:
    """Return the map from a file's names to the tower's, None for what is not the tower's."""
    prefix = "text." if any(name.startswith("text.") for name in state) else ""
    others = ("visual.", "logit_scale", "logit_bias", "attn_mask")

    def key_map(name: str) -> str | None:
        inner = name.removeprefix(prefix)
        return inner if name.startswith(prefix) and not inner.startswith(others) else None

    return key_map


def _places(tokens: Tensor, learnt: Tensor, sentence: str) -> tuple[int, int]:
    """Return where the row of learnt words begins and ends."""
    found = (tokens == learnt).nonzero().flatten().tolist()
    if not found or found != list(range(found[0], found[-1] + 1)):
        raise ConfigError(f"IdentityPrompts: the sentence needs an X for each learnt word, in a row; got {sentence!r}")
    return found[0], found[-1] + 1
