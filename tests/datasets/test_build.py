from __future__ import annotations

import pytest

from reidzoo.datasets import CUHK03NP, Market1501, build_dataset
from reidzoo.errors import ConfigError
from reidzoo.registry import DATASET


def test_by_name_by_node_and_as_it_is(tmp_path, market):
    market(tmp_path / "market1501")
    dataset = build_dataset("Market1501", root=tmp_path)
    assert isinstance(dataset, Market1501)
    assert build_dataset({"type": "Market1501", "keep_junk": True}, root=tmp_path).keep_junk
    assert build_dataset(dataset) is dataset


def test_the_nodes_own_root_wins(tmp_path, market):
    market(tmp_path / "market1501")
    assert build_dataset({"type": "Market1501", "root": str(tmp_path)}, root="/nowhere").train


def test_errors():
    with pytest.raises(ConfigError, match="Did you mean DukeMTMC"):
        build_dataset("DukeMTCM")
    with pytest.raises(ConfigError, match="cannot take these arguments"):
        build_dataset({"type": "CUHK03NP", "splitt": "labeled"})
    with pytest.raises(ConfigError, match="expected an entry with a 'type'"):
        build_dataset(None)


def test_all_are_registered():
    names = {"CSVDataset", "CUHK03NP", "DukeMTMC", "FolderDataset", "MSMT17", "Market1501", "PseudoLabeled"}
    assert DATASET.get("CUHK03NP") is CUHK03NP
    assert names | {"RandPerson", "Unlabeled"} <= set(DATASET.module_dict)
