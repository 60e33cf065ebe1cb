"""MixStyle: feature maps with the statistics of others mixed in."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo import distributed
from reidzoo.errors import ConfigError
from reidzoo.to_device import to_device

__all__ = ["mix_style"]


def mix_style(features: Tensor, partners: np.ndarray, weights: np.ndarray, eps: float = 1e-6) -> Tensor:
    """Return ``sigma_mix (x - mu) / sigma + mu_mix``, image by image and channel by channel.

    Zhou et al., "Domain generalization with MixStyle" (ICLR 2021), Eq. 1 to 3: mu and sigma are mean and standard
    deviation over a map's pixels, of n - 1, which carry no gradient; ``mu_mix = w mu + (1 - w) mu'`` with the
    partner's mu', and sigma_mix likewise.

    Args:
        features: maps of this process's share of the batch (B / ranks, C, H, W).
        partners: of each image of the whole batch the number of its partner in it, integers (B,).
        weights: w of each image of the whole batch, (B,).
        eps: added to the variances.

    Raises:
        ConfigError: the maps have less than two pixels.
    """
    if features[0, 0].numel() < 2:
        raise ConfigError(f"MixStyle: maps of {tuple(features.shape[2:])} pixels have no standard deviation")
    own = features.detach().float()
    mean, deviation = own.mean((2, 3)), (own.var((2, 3)) + eps).sqrt()
    statistics = torch.stack([mean, deviation], 1)
    everyone = distributed.gather(statistics)
    share = slice(distributed.rank() * len(own), (distributed.rank() + 1) * len(own))
    others = everyone[to_device(partners[share].astype(np.int64), own.device)]
    way = to_device(weights[share].astype(np.float32), own.device)[:, None, None]
    mixed = way * statistics + (1 - way) * others
    (mean, deviation), (new_mean, new_deviation) = (
        (pair[:, :, :, None, None].unbind(1)) for pair in (statistics, mixed)
    )
    return ((features - mean) / deviation * new_deviation + new_mean).to(features.dtype)
