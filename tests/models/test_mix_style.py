"""MixStyle against its equations, image by image, and in two processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo import distributed
from reidzoo.errors import ConfigError
from reidzoo.models.mix_style import mix_style
from reidzoo.testing import in_two_processes

PARTNERS, WEIGHTS = np.array([3, 0, 2, 1]), np.array([0.1, 0.9, 0.5, 0.0])


@pytest.fixture
def features():
    return torch.randn(4, 2, 3, 2, generator=torch.manual_seed(0), dtype=torch.float64) * 3 + 1


def transcription(features, statistics):
    """Eq. 1 to 3, plainly; the mean and the deviation are those of ``statistics``, which no gradient reaches."""
    mixed = torch.empty_like(features)
    for i, (j, w) in enumerate(zip(PARTNERS.tolist(), WEIGHTS.tolist())):
        for c in range(features.shape[1]):
            (mean, std), (other_mean, other_std) = (
                (m.mean(), (((m - m.mean()) ** 2).sum() / (m.numel() - 1) + 1e-6).sqrt())
                for m in (statistics[i, c], statistics[j, c])
            )
            new_mean, new_std = w * mean + (1 - w) * other_mean, w * std + (1 - w) * other_std
            mixed[i, c] = (features[i, c] - mean) / std * new_std + new_mean
    return mixed


def test_the_equations_and_the_gradient(features):
    given, plain = (features.clone().requires_grad_() for _ in range(2))
    found, expected = mix_style(given, PARTNERS, WEIGHTS), transcription(plain, features)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)  # its statistics are float32
    direction = torch.randn_like(features)
    (found * direction).sum().backward()
    (expected * direction).sum().backward()
    torch.testing.assert_close(given.grad, plain.grad, rtol=1e-4, atol=1e-4)


def test_a_weight_of_one_changes_nothing(features):
    torch.testing.assert_close(mix_style(features.float(), PARTNERS, np.ones(4)), features.float())


@pytest.mark.slow
def test_two_processes_mix_across_the_whole_batch(features):
    def work():
        start = 2 * distributed.rank()
        return mix_style(features[start : start + 2], PARTNERS, WEIGHTS)

    torch.testing.assert_close(torch.cat(in_two_processes(work)), mix_style(features, PARTNERS, WEIGHTS))


def test_a_map_of_one_pixel_is_refused():
    with pytest.raises(ConfigError, match=r"maps of \(1, 1\) pixels"):
        mix_style(torch.randn(4, 2, 1, 1), PARTNERS, WEIGHTS)
