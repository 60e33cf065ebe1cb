from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from reidzoo.datasets import (
    MSMT17,
    PseudoLabeled,
    TrainSet,
    Unlabeled,
    build_dataset,
    true_identities,
    write_pseudo_labels,
)
from reidzoo.errors import DatasetError

from ..conftest import draw_person


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


def test_true_identities_are_found_beneath_wrappers(tmp_path, dataset):
    path = tmp_path / "pseudo_labels.csv"
    write_pseudo_labels(path, dataset.train, [1, -1, 0], dataset.folder)
    hidden = TrainSet([Unlabeled(dataset)])
    assert (hidden.pids == -1).all()
    assert true_identities(hidden).tolist() == [record.pid for record in dataset.train]
    (tmp_path / "people/train/A").mkdir(parents=True)
    draw_person(tmp_path / "people/train/A/c1_0.jpg", 1, 1, 1)
    other = build_dataset({"type": "FolderDataset", "folder": "people"}, tmp_path)
    both = true_identities(TrainSet([PseudoLabeled(dataset, labels=path), other]))
    assert both[:2].tolist() == [dataset.train[0].pid, dataset.train[2].pid] and both[2] not in both[:2]


def test_the_oracle_splits_labels_by_identity_or_merges_identities(tmp_path):
    """Labels 0: A A B, 1: B B A A, 2: C; A's third and fourth image lie in B's cluster."""
    people, labels = ["A", "A", "B", "B", "B", "A", "A", "C", "C"], [0, 0, 0, 1, 1, 1, 1, 2, -1]
    for n, person in enumerate(people):
        draw_person(tmp_path / "people" / "train" / person / f"c1_{n}.jpg", n, 1, n)
    dataset = build_dataset({"type": "FolderDataset", "folder": "people"}, tmp_path)
    order = [int(Path(record.path).stem[3:]) for record in dataset.train]
    path = tmp_path / "labels.csv"
    write_pseudo_labels(path, dataset.train, [labels[n] for n in order], dataset.folder)

    def groups(oracle):
        found = defaultdict(list)
        for record in PseudoLabeled(dataset, labels=path, oracle=oracle).train:
            found[record.pid].append(int(Path(record.path).stem[3:]))
        return sorted(sorted(group) for group in found.values())

    assert groups("none") == [[0, 1, 2], [3, 4, 5, 6], [7]]
    assert groups("split") == [[0, 1], [3, 4], [5, 6]]  # B's image 2 and C's image 7 have no other beside them
    assert groups("merge") == [[0, 1, 5, 6], [2, 3, 4], [7]]
    with pytest.raises(DatasetError, match="oracle: merge needs people's identities"):
        assert PseudoLabeled(Unlabeled(dataset), labels=path, oracle="merge").train
