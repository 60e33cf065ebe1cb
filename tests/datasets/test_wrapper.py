from __future__ import annotations

import pytest

from reidzoo.datasets import DatasetWrapper, Market1501
from reidzoo.errors import ConfigError, DatasetError


def test_records_and_attributes_pass_through(tmp_path, market):
    market(tmp_path / "market1501")
    inner = Market1501(tmp_path)
    for node in (inner, "Market1501", {"type": "Market1501"}):
        dataset = DatasetWrapper(node, root=tmp_path)
        assert (dataset.train, dataset.query, dataset.gallery) == (inner.train, inner.query, inner.gallery)
        assert dataset.name == "Market1501"
        assert dataset.folder == inner.folder


def test_errors_of_the_inner_dataset_come_through(tmp_path):
    with pytest.raises(DatasetError, match="Market1501 was not found"):
        DatasetWrapper("Market1501", root=tmp_path)
    with pytest.raises(ConfigError, match="Did you mean Market1501"):
        DatasetWrapper("Market1502", root=tmp_path)
