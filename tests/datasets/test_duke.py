from __future__ import annotations

import pytest

from reidzoo.datasets import DukeMTMC
from reidzoo.errors import DatasetError

FILES = {
    "bounding_box_train": ["0001_c2_f0046182.jpg", "0005_c8_f0000001.jpg"],
    "query": ["0002_c1_f0000001.jpg"],
    "bounding_box_test": ["0002_c5_f0000002.jpg", "7139_c6_f0000003.jpg"],
}


@pytest.mark.parametrize("folder", DukeMTMC.folders)
def test_records(tmp_path, market, folder):
    market(tmp_path / folder, FILES)
    dataset = DukeMTMC(tmp_path)
    assert [record[1:3] for record in dataset.train] == [(1, 1), (5, 7)]
    assert [record[1:3] for record in dataset.query] == [(2, 0)]
    assert [record[1:3] for record in dataset.gallery] == [(2, 4), (7139, 5)]


def test_message_says_that_it_was_withdrawn(tmp_path):
    with pytest.raises(DatasetError, match="withdrawn"):
        DukeMTMC(tmp_path)
