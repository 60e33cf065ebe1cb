from __future__ import annotations

import os

import pytest

from reidzoo.datasets import MSMT17
from reidzoo.datasets.nodes import validation_part
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import DATASET

STEMS = {"0002_c1s1_000451_03": 1, "0002_c2s1_000776_01": 2, "0007_c3s3_077419_03": 3}
PARTS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}


@pytest.mark.parametrize("folder", [f for f in MSMT17.folders if "V" in f] + ["MSMT17", "msmt17"])
def test_records_of_both_versions(tmp_path, msmt17, folder):
    train, test = PARTS["V2" if folder.endswith("V2") else "V1"]
    msmt17(tmp_path / folder, train, test)
    dataset = MSMT17(tmp_path)
    expected = [(0, 0, 0, 0, -1), (1, 14, 0, 1, -1), (1, 1, 0, 2, -1)]
    assert [record[1:] for record in dataset.train] == expected
    assert [record[1:] for record in dataset.query] == [(0, 2, 0, 0, -1)]
    assert [record[1:] for record in dataset.gallery] == [(0, 3, 0, 1, -1), (1, 4, 0, 1, -1)]
    assert dataset.query[0].path == os.path.join(tmp_path, folder, test, "0000/0000_000_03_0303morning_0008_0.jpg")


def test_version_1_first_unless_the_folder_says_otherwise(tmp_path, msmt17):
    msmt17(tmp_path / "MSMT17_V1")
    msmt17(tmp_path / "MSMT17_V2", *PARTS["V2"])
    assert MSMT17(tmp_path).folder.endswith("V1")
    assert "mask_train_v2" in MSMT17(tmp_path, folder="MSMT17_V2").train[0].path


def test_the_two_training_lists_are_a_split_for_validation(tmp_path, msmt17):
    msmt17(tmp_path / "MSMT17_V1")
    both = MSMT17(tmp_path)
    train, val = (DATASET.build({"type": "MSMT17", "part": part}, root=tmp_path) for part in ("train", "val"))
    assert (len(train.train), len(val.train)) == (2, 1) and train.train + val.train == both.train
    assert val.query == both.query and val.gallery == both.gallery
    assert validation_part({"train": {"type": "MSMT17", "part": "train"}}) == {"type": "MSMT17", "part": "val"}
    with pytest.raises(ConfigError, match="part must be one of all, train, val"):
        MSMT17(tmp_path, part="test")


def test_the_renamed_copy_and_its_style_images(tmp_path, market, touch):
    folder = market(tmp_path / "msmt17")
    styles = [f"{stem}_fake_{camera}.jpg" for stem, own in STEMS.items() for camera in (1, 2, 3) if camera != own]
    touch(folder / "bounding_box_train_camstyle", styles)
    node = {"type": "CamStyled", "dataset": {"type": "Unlabeled", "dataset": {"type": "MSMT17Renamed"}}}
    dataset = DATASET.build(node, root=tmp_path)
    assert [record.camid for record in dataset.train] == [0, 1, 2] and dataset.name == "MSMT17"
    assert dataset.styles.missing == 0 and len(dataset.styles.paths) == 6


def test_message_names_both_layouts(tmp_path):
    with pytest.raises(DatasetError) as caught:
        MSMT17(tmp_path)
    for part in ("train or mask_train_v2", "test or mask_test_v2", "list_train.txt", "list_gallery.txt"):
        assert part in str(caught.value)


def test_listed_images_must_be_there(tmp_path, msmt17):
    folder = msmt17(tmp_path / "MSMT17_V1")
    (folder / "train/0001/0001_001_15_0113noon_0008_1.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 of the 2 images that .*list_train.txt names are not there: .*0001_001"):
        assert MSMT17(tmp_path).train


@pytest.mark.parametrize("line", ["0000/0000_000_01.jpg 0", "0000/0000_000_01_0303morning_0015_0.jpg", "a b c"])
def test_malformed_list_is_an_error_with_its_line(tmp_path, msmt17, line):
    folder = msmt17(tmp_path / "MSMT17_V1")
    with open(folder / "list_query.txt", "a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(DatasetError, match=r"list_query\.txt:3: expected"):
        assert MSMT17(tmp_path).query
