from __future__ import annotations

import numpy as np
import pytest

from reidzoo.datasets import VehicleID, build_dataset
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.evaluation import evaluate_ranking

LISTS = {
    "train_list.txt": ["0000001 7", "0000002 7", "0000003 26000"],
    "test_list_800.txt": ["0000004 5", "0000005 9", "0000006 5", "0000007 5", "0000008 9"],
    "test_list_3200.txt": ["0000004 5", "0000006.jpg 5"],
}
SIZES = (800, 1600, 2400, 3200, 6000, 13164)


@pytest.fixture
def vehicleid(touch):
    """Lay out a tiny VehicleID: vehicleid(folder)."""

    def make(folder):
        touch(folder / "image", [f"{number:07d}.jpg" for number in range(1, 9)])
        touch(folder / "train_test_split", list(LISTS))
        for name, lines in LISTS.items():
            (folder / "train_test_split" / name).write_text("\n".join(lines) + "\n")
        return folder

    return make


@pytest.mark.parametrize("folder", VehicleID.folders)
def test_records(tmp_path, vehicleid, folder):
    vehicleid(tmp_path / folder)
    dataset = VehicleID(tmp_path)
    assert [record[1:] for record in dataset.train] == [(7, 0, 0, -1, -1), (7, 0, 0, -1, -1), (26000, 0, 0, -1, -1)]
    assert [(record.path[-11:], record.pid) for record in dataset.gallery] == [("0000004.jpg", 5), ("0000005.jpg", 9)]
    assert [(record.path[-11:], record.pid) for record in dataset.query] == [
        ("0000006.jpg", 5), ("0000007.jpg", 5), ("0000008.jpg", 9),
    ]  # fmt: skip


def test_a_size_reads_its_list_and_names_it(tmp_path, vehicleid):
    vehicleid(tmp_path / "VehicleID")
    dataset = VehicleID(tmp_path, test_size=3200)
    assert (dataset.name, dataset.protocol) == ("VehicleID-3200", "vehicleid")
    assert [record.path[-11:] for record in (*dataset.gallery, *dataset.query)] == ["0000004.jpg", "0000006.jpg"]
    assert dataset.published == {"train": (13164, 113346), "gallery": (3200, 3200)}


@pytest.mark.parametrize("size", [0, 100, "800", True, None])
def test_there_are_six_sizes(tmp_path, vehicleid, size):
    vehicleid(tmp_path / "VehicleID")
    with pytest.raises(ConfigError, match="800, 1600, 2400, 3200, 6000, 13164"):
        VehicleID(tmp_path, test_size=size)


def test_message_says_what_is_missing_where_and_what_to_do(tmp_path, vehicleid):
    vehicleid(tmp_path / "VehicleID")
    with pytest.raises(DatasetError) as caught:
        VehicleID(tmp_path, test_size=6000)
    for part in ("VehicleID-6000", "lacks train_test_split/test_list_6000.txt", "VehicleID_V1.0 (no such folder)",
                 "pkuml.org", "reidzoo render --datasets VehicleID"):  # fmt: skip
        assert part in str(caught.value)


def test_listed_images_must_be_there(tmp_path, vehicleid):
    (vehicleid(tmp_path / "VehicleID") / "image" / "0000002.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 of the 3 images that .*train_list.txt names are not there: .*0000002"):
        assert VehicleID(tmp_path).train


@pytest.mark.parametrize("line", ["0000009", "0000009 1 2", "name 3", "0000009 -1", "0000009 x"])
def test_malformed_list_is_an_error_with_its_line(tmp_path, vehicleid, line):
    with open(vehicleid(tmp_path / "VehicleID") / "train_test_split" / "test_list_800.txt", "a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(DatasetError, match=r"test_list_800\.txt:7: expected '0137416 5535', got"):
        assert VehicleID(tmp_path).gallery


def test_an_empty_list_is_an_error(tmp_path, vehicleid):
    (vehicleid(tmp_path / "VehicleID") / "train_test_split" / "train_list.txt").write_text("\n")
    with pytest.raises(DatasetError, match=r"(?s)train_list.txt names no image.*Obtain it from"):
        assert VehicleID(tmp_path).train


def test_attributes(tmp_path, vehicleid, touch):
    folder = vehicleid(tmp_path / "VehicleID")
    assert VehicleID(tmp_path).attributes() == {}
    touch(folder / "attribute", ["model_attr.txt", "color_attr.txt"])
    (folder / "attribute" / "model_attr.txt").write_text("5 249\n7 0\n")
    (folder / "attribute" / "color_attr.txt").write_text("7 3\n")
    assert VehicleID(tmp_path).attributes() == {5: {"model": 249}, 7: {"model": 0, "color": 3}}
    (folder / "attribute" / "color_attr.txt").write_text("7 3\nred 4\n")
    with pytest.raises(DatasetError, match=r"color_attr\.txt:2"):
        VehicleID(tmp_path).attributes()


@pytest.mark.parametrize("size", SIZES)
def test_the_tiny_tree_is_read_at_every_size(tiny_root, size):
    dataset = build_dataset({"type": "VehicleID", "test_size": size}, tiny_root)
    assert len(dataset.gallery) == len({record.pid for record in dataset.query}) == 12


def test_the_protocol_draws_the_gallery_ten_times_from_all_images(tmp_path, vehicleid):
    vehicleid(tmp_path / "VehicleID")
    dataset = VehicleID(tmp_path)
    records = [*dataset.query, *dataset.gallery]
    pids, names = (np.array([getattr(record, key) for record in records]) for key in ("pid", "path"))
    features = np.random.default_rng(1).normal(size=(len(records), 4))
    n = len(dataset.query)

    def evaluate(q, g):
        return evaluate_ranking(features[q], features[g], pids[q], pids[g], protocol=dataset.protocol)

    result = evaluate(np.arange(n), np.arange(n, len(records)))
    assert (result.trials, result.num_queries) == (10, len(names))
    # How the reader splits the list has no part in it: only the order in which images are pooled matters to the draws.
    pooled = np.r_[n : len(records), :n]
    assert evaluate(pooled[-1:], pooled[:-1]).mAP == result.mAP
    # By hand: one image of each vehicle is the gallery, and every other image ranks the two of them.
    reciprocal = []
    for trial in range(10):
        order = np.argsort(np.random.default_rng([0, trial]).permutation(len(records)))
        drawn = {int(pids[pooled[i]]): pooled[i] for i in order[::-1]}
        for row in pooled:
            if drawn[int(pids[row])] != row:
                unit = features / np.linalg.norm(features, axis=1, keepdims=True)
                own = unit[row] @ unit[drawn[int(pids[row])]]
                better = sum(unit[row] @ unit[column] >= own for pid, column in drawn.items() if pid != pids[row])
                reciprocal.append(1 / (1 + better))
    assert result.mAP == pytest.approx(np.mean(reciprocal))
