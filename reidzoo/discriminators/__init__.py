"""Discriminators: networks that classify the domain (or camera, or view) of a feature."""

from __future__ import annotations

from reidzoo.discriminators.gradient_reversal import GradientReversal, reverse_gradient
from reidzoo.discriminators.mlp import MLPDiscriminator
from reidzoo.discriminators.nuisance import NuisanceDiscriminator

__all__ = ["GradientReversal", "MLPDiscriminator", "NuisanceDiscriminator", "reverse_gradient"]
