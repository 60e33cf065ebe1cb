"""The squared Euclidean distances of two sets of features, with gradients."""

from __future__ import annotations

from torch import Tensor

__all__ = ["squared_distances"]


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """Return the squared Euclidean distances (n, m) of the rows of (n, D) and (m, D): at least 1e-12, so that they have
    a root with a finite gradient, and there without gradient.

    They are ``|a|^2 + |b|^2 - 2 a b`` of rows moved by the first set's mean, which changes no distance but keeps far
    sets from cancelling.
    """
    centre = first.detach().mean(0)
    first, second = first - centre, second - centre
    squares = first.square().sum(1)[:, None] + second.square().sum(1)[None, :]
    return (squares - 2 * first @ second.t()).clamp(min=1e-12)
