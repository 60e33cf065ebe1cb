from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.engine.feature_file import write_features


@pytest.mark.parametrize("sizes", [[3, 0, 4], [12345, 7], []])
def test_blocks_become_one_array_that_can_be_mapped(tmp_path, sizes):
    blocks = [torch.rand(n, 5) for n in sizes]
    with open(tmp_path / "f.npy", "wb") as file:
        assert write_features(file, iter(blocks), 5) == sum(sizes)
    found = np.load(tmp_path / "f.npy", mmap_mode="r" if sizes else None)
    assert found.dtype == np.float32 and found.shape == (sum(sizes), 5)
    np.testing.assert_array_equal(found, torch.cat([torch.empty(0, 5), *blocks]))


def test_a_block_of_another_width(tmp_path):
    with open(tmp_path / "f.npy", "wb") as file, pytest.raises(ValueError, match=r"\(2, 4\)"):
        write_features(file, [torch.rand(2, 4)], 5)
