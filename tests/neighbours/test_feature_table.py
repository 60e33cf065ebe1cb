from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.errors import EvaluationInputError
from reidzoo.neighbours.feature_table import FeatureTable


def test_tiles_rows_and_gather_of_joined_tables():
    a, b = np.random.rand(5, 3).astype(np.float32), torch.rand(4, 3, dtype=torch.float64)
    table = FeatureTable.joined([FeatureTable(a, "a"), FeatureTable(b, "b")], "both")
    whole = np.concatenate([a, b.float().numpy()])
    assert len(table) == 9
    assert np.array_equal(table.rows(3, 8), whole[3:8])
    tile = table.tile(6, 5).numpy()
    assert np.array_equal(tile[:3], whole[6:]) and not tile[3:].any()
    index = np.array([8, 0, 5, 5, 4])
    assert np.array_equal(table.gather(index), whole[index])
    assert table.norms == pytest.approx(np.linalg.norm(whole.astype(float), axis=1))
    assert np.allclose(table.midrange(), (whole.min(0) + whole.max(0)) / 2)


def test_joined_tables_must_have_one_width():
    with pytest.raises(EvaluationInputError, match="not the same model"):
        FeatureTable.joined([FeatureTable(np.ones((2, 3)), "a"), FeatureTable(np.ones((2, 4)), "b")], "both")


def test_a_bad_row_deep_inside_is_named():
    features = np.ones((9000, 2), np.float32)
    features[8765, 1] = np.nan
    with pytest.raises(EvaluationInputError, match=r"x: row 8765 .*1 such rows of 9000"):
        FeatureTable(features, "x")


def test_no_copy_is_made_of_plain_float32_rows():
    features = np.ones((10, 2), np.float32)
    table = FeatureTable(features, "x")
    assert table.tile(2, 4).data_ptr() == features[2:].ctypes.data
