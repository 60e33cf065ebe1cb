"""Parts of CLIP-ReID (Li, Sun, Li: AAAI 2023)."""

from __future__ import annotations

from clip_reid.clip_reid_head import CLIPReIDHead
from clip_reid.identity_prompts import IdentityPrompts
from clip_reid.image_text_loss import ImageTextLoss
from clip_reid.last_tokens import LastTokens
from clip_reid.prompt_guided_trainer import PromptGuidedTrainer
from clip_reid.prompt_trainer import PromptTrainer
from clip_reid.prompted_embedder import PromptedEmbedder

__all__ = [
    "CLIPReIDHead", "IdentityPrompts", "ImageTextLoss", "LastTokens", "PromptGuidedTrainer", "PromptTrainer",
    "PromptedEmbedder",
]  # fmt: skip
