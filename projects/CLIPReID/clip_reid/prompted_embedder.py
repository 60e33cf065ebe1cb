"""An embedder with a sentence for each identity beside it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from clip_reid.identity_prompts import IdentityPrompts
from reidzoo.checks import ARGUMENTS, check
from reidzoo.errors import ConfigError
from reidzoo.models import Embedder
from reidzoo.registry import MODEL

__all__ = ["PromptedEmbedder"]


@MODEL.register_module()
class PromptedEmbedder(Embedder):
    """CLIP's image tower and a head, and while training ``IdentityPrompts``, which embedding needs not.

    Args:
        backbone, head, num_classes: as for ``Embedder``; the head has a ``projection``, such as ``CLIPReIDHead``.
        prompts: arguments of ``IdentityPrompts``, without ``num_classes`` and ``dim``. Its ``pretrained`` file gives
            the head's projection, too.

    Attributes:
        prompts: None for 0 identities.

    Raises:
        ConfigError: the head has no projection, or an argument is wrong.
    """

    training_only = ("prompts.*",)

    def __init__(
        self,
        backbone: Mapping[str, Any],
        head: Mapping[str, Any],
        num_classes: int = 0,
        prompts: Mapping[str, Any] | None = None,
    ) -> None:
        check(self, ARGUMENTS, prompts=prompts)
        super().__init__(backbone, head, num_classes)
        projection = getattr(self.head, "projection", None)
        if projection is None:
            raise ConfigError("PromptedEmbedder needs a head with a projection, such as HEAD: {type: CLIPReIDHead}")
        self.prompts: IdentityPrompts | None = None
        if num_classes:
            self.prompts = _build(num_classes, projection.out_features, prompts or {})
            if self.prompts.image_projection is not None:
                with torch.no_grad():
                    projection.weight.copy_(self.prompts.image_projection.t())

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Refuse: the sentences are of the identities that the model was built for.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("PromptedEmbedder has sentences for the identities of its data; pseudo labels change them")


def _build(num_classes: int, dim: int, arguments: Mapping[str, Any]) -> IdentityPrompts:
    try:
        inspect.signature(IdentityPrompts).bind(num_classes=num_classes, dim=dim, **arguments)
    except TypeError as error:
        raise ConfigError(f"MODEL.prompts: IdentityPrompts cannot take these arguments: {error}") from None
    return IdentityPrompts(num_classes, dim, **arguments)
