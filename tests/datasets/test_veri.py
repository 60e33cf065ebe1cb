from __future__ import annotations

import logging

import pytest

from reidzoo.datasets import VeRi776, build_dataset
from reidzoo.errors import DatasetError
from reidzoo.evaluation import evaluate_ranking

FILES = {
    "image_train": ["0001_c001_00016450_0.jpg", "0001_c020_00027065_0.jpg", "0770_c003_00000010_12.jpg"],
    "image_query": ["0002_c002_00030600_0.jpg"],
    "image_test": ["0002_c002_00030605_1.jpg", "0002_c003_00084280_0.jpg", "0005_c003_00077625_0.jpg"],
}
LABELS = """<?xml version="1.0" encoding="gb2312"?>
<TrainingImages Version="1.0">
  <Items number="3">
    <Item imageName="0001_c001_00016450_0.jpg" vehicleID="0001" cameraID="c001" colorID="1" typeID="4"/>
    <Item imageName="0001_c020_00027065_0.jpg" vehicleID="0001" cameraID="c020" colorID="1" typeID="4"/>
    <Item imageName="0770_c003_00000010_12.jpg" vehicleID="0770" cameraID="c003"/>
  </Items>
</TrainingImages>
"""


@pytest.fixture
def veri(market):
    """Lay out a tiny VeRi-776: veri(folder)."""
    return lambda folder: market(folder, FILES)


@pytest.mark.parametrize("folder", VeRi776.folders)
def test_records(tmp_path, veri, folder):
    veri(tmp_path / folder)
    dataset = VeRi776(tmp_path)
    assert [record[1:] for record in dataset.train] == [(1, 0, 0, -1, -1), (1, 19, 0, -1, -1), (770, 2, 0, -1, -1)]
    assert [record[1:3] for record in dataset.query] == [(2, 1)]
    assert [record[1:3] for record in dataset.gallery] == [(2, 1), (2, 2), (5, 2)]
    assert dataset.query[0].path.endswith("image_query/0002_c002_00030600_0.jpg")


def test_published_counts():
    assert VeRi776.published == {"train": (576, 37778), "query": (200, 1678), "gallery": (200, 11579)}


def test_the_tiny_tree_is_read_by_name_and_the_querys_camera_is_left_out(tiny_root):
    dataset = build_dataset("VeRi776", tiny_root)
    assert (dataset.protocol, dataset.is_twin) == ("market1501", True)
    query, gallery = dataset.query, dataset.gallery
    # Perfect but for the images of the query's own camera, which come first and must not count.
    features = [[1.0, float(record.pid), 0.0] for record in query], [[1.0, float(g.pid), 0.0] for g in gallery]
    pids, camids = ([[getattr(r, key) for r in part] for part in (query, gallery)] for key in ("pid", "camid"))
    result = evaluate_ranking(*features, *pids, *camids, protocol=dataset.protocol, metric="euclidean")
    assert result.mAP == 1.0
    assert result.num_valid_queries == len(query)


def test_message_says_what_is_missing_where_and_what_to_do(tmp_path, market):
    market(tmp_path / "VeRi", {"image_train": FILES["image_train"]})
    with pytest.raises(DatasetError) as caught:
        VeRi776(tmp_path)
    for part in ("image_train", "lacks image_query, image_test", "VeRi-776 (no such folder)", "VeRidataset",
                 "reidzoo render --datasets VeRi776"):  # fmt: skip
        assert part in str(caught.value)


def test_a_strange_name_is_an_error(tmp_path, veri):
    (veri(tmp_path / "VeRi") / "image_test" / "0002_c002.jpg").touch()
    with pytest.raises(DatasetError, match=r"1 of the 4 images in .*image_test are not named.*0002_c002\.jpg"):
        assert VeRi776(tmp_path).gallery


def test_an_empty_folder_is_an_error(tmp_path, market):
    (market(tmp_path / "VeRi", {**FILES, "image_query": []}) / "image_query").mkdir()
    with pytest.raises(DatasetError, match="image_query holds no image"):
        assert VeRi776(tmp_path).query


def test_wrong_counts_and_unlisted_images_are_warned_of(tmp_path, veri, caplog):
    folder = veri(tmp_path / "VeRi")
    (folder / "name_train.txt").write_text("0001_c001_00016450_0.jpg\n\n0003_c001_00000001_0.jpg\n")
    with caplog.at_level(logging.WARNING, logger="reidzoo"):
        assert len(VeRi776(tmp_path).train) == 3
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "names 1 images that are not in image_train: 0003_c001_00000001_0.jpg" in said
    assert "576 and 37,778 are published" in said


@pytest.mark.parametrize("encoding", ["gb2312", "utf-8", "utf-8-sig"])
def test_attributes(tmp_path, veri, encoding):
    folder = veri(tmp_path / "VeRi")
    assert VeRi776(tmp_path).attributes() == {}
    (folder / "train_label.xml").write_text(LABELS.replace("<Items", "<!-- 车 --><Items"), encoding=encoding)
    assert VeRi776(tmp_path).attributes() == {1: {"color": 1, "type": 4}, 770: {}}


MALFORMED = ["<TrainingImages>", LABELS.replace("vehicleID", "id"), LABELS.replace('"4"', '"car"')]


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_attributes_are_an_error_with_the_file(tmp_path, veri, text):
    (veri(tmp_path / "VeRi") / "test_label.xml").write_text(text)
    with pytest.raises(DatasetError, match=r"test_label\.xml: expected <Item .*it is optional"):
        VeRi776(tmp_path).attributes()
