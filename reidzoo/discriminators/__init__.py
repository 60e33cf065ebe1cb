"""Discriminators: networks that classify the domain (or camera, or view) of a feature."""

from __future__ import annotations

from reidzoo.discriminators.gradient_reversal import reverse_gradient
from reidzoo.discriminators.mlp import MLPDiscriminator
from reidzoo.discriminators.nuisance import NuisanceDiscriminator

__all__ = ["MLPDiscriminator", "NuisanceDiscriminator", "reverse_gradient"]
