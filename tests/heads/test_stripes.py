from __future__ import annotations

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from reidzoo.heads.pooling import AvgPool, MaxPool
from reidzoo.heads.stripes import pool_stripes


@pytest.mark.parametrize(("height", "count"), [(6, 3), (7, 3), (2, 3), (1, 1), (5, 4)])
def test_are_torchs_adaptive_pooling(height, count):
    maps = torch.randn(2, 4, height, 3)
    mean, peak = (pool(maps, (count, 1))[..., 0] for pool in (adaptive_avg_pool2d, adaptive_max_pool2d))
    torch.testing.assert_close(pool_stripes(maps, count, AvgPool()), mean.transpose(1, 2))
    torch.testing.assert_close(pool_stripes(maps, count, MaxPool()), peak.transpose(1, 2))
