from __future__ import annotations

import pytest

from reidzoo.datasets import MSMT17, PseudoLabeled, build_dataset, write_pseudo_labels
from reidzoo.errors import DatasetError


@pytest.fixture
def dataset(tmp_path, msmt17):
    msmt17(tmp_path / "MSMT17_V1")
    return MSMT17(tmp_path)


def test_roundtrip(tmp_path, dataset):
    path = tmp_path / "pseudo_labels.csv"
    write_pseudo_labels(path, dataset.train, [1, -1, 0], dataset.folder)
    assert path.read_text().splitlines()[1] == "train/0000/0000_000_01_0303morning_0015_0.jpg,1"
    node = {"type": "PseudoLabeled", "dataset": {"type": "Unlabeled", "dataset": "MSMT17"}, "labels": str(path)}
    labelled = build_dataset(node, tmp_path)
    expected = [dataset.train[0]._replace(pid=1), dataset.train[2]._replace(pid=0)]
    assert labelled.train == expected
    assert (labelled.query, labelled.gallery, labelled.name) == (dataset.query, dataset.gallery, "MSMT17")


def test_labels_of_other_images_are_an_error(tmp_path, dataset):
    path = tmp_path / "pseudo_labels.csv"
    path.write_text("path,label\ntrain/0000/0000_000_01_0303morning_0015_0.jpg,0\nx.jpg,0\n")
    with pytest.raises(DatasetError) as caught:
        assert PseudoLabeled(dataset, labels=path).train
    message = str(caught.value)
    assert "(2 labelled, 3 in the dataset)" in message
    assert "1 are labelled but not in the dataset: x.jpg" in message
    assert "2 are in the dataset but have no label: train/0001/0001_001_15_0113noon_0008_1.jpg, train" in message


def test_missing_file_stops_at_once(tmp_path, dataset):
    with pytest.raises(DatasetError, match="no such file"):
        PseudoLabeled(dataset, labels=tmp_path / "none.csv")
