"""The terms of StarGAN's objective (Choi et al., CVPR 2018, Eq. 2 to 4 and 8)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["gradient_penalty", "mix", "realness_gap"]


def realness_gap(real: Tensor, fake: Tensor) -> Tensor:
    """Return what the discriminator minimises: E[D(fake)] - E[D(real)], the negated first two terms of Eq. 8."""
    return fake.mean() - real.mean()


def mix(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Return images on the lines between ``real`` and ``fake`` (B, 3, H, W); ``share`` (B,) is the real part."""
    share = share.to(real)[:, None, None, None]
    return share * real + (1 - share) * fake


def gradient_penalty(critic: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return E[(||grad D(x)||_2 - 1)^2] at ``images``, the last term of Eq. 8 without its factor.

    Args:
        critic: images (B, 3, H, W) -> scores of any shape (B, ...).
        images: where to measure; gradients reach the critic's weights, not these.
    """
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    lengths = gradient.flatten(1).square().sum(1).clamp(min=1e-12).sqrt()
    return functional.mse_loss(lengths, torch.ones_like(lengths))
