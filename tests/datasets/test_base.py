from __future__ import annotations

import logging
import os
import re
import time

import numpy as np
import pytest

from reidzoo.datasets import Market1501, RandPerson, Record
from reidzoo.datasets.base import Dataset, absent_files, examples, image_names, relative_path
from reidzoo.errors import DatasetError


def test_missing_dataset_message_says_what_where_and_what_to_do(tmp_path):
    with pytest.raises(DatasetError) as caught:
        Market1501(tmp_path)
    message = str(caught.value)
    assert message.startswith("Market1501 was not found")
    for part in ("bounding_box_train", "query", "bounding_box_test", "no such folder", Market1501.homepage):
        assert part in message
    for folder in Market1501.folders:
        assert os.path.join(tmp_path, folder) in message
    assert "reidzoo render --datasets Market1501 --data-root datasets-mini" in message


def test_incomplete_dataset_message_says_what_it_lacks(tmp_path, market):
    market(tmp_path / "Market-1501", {"bounding_box_train": ["0002_c1s1_000451_03.jpg"]})
    with pytest.raises(DatasetError, match=re.escape("Market-1501 (lacks query, bounding_box_test)")):
        Market1501(tmp_path)


def test_no_twin_no_homepage_no_remedy(tmp_path):
    class Plain(Dataset):
        name = "Plain"
        folders = ("plain",)

    with pytest.raises(DatasetError) as caught:
        Plain(tmp_path)
    assert "reidzoo render" not in str(caught.value)
    assert "Obtain" not in str(caught.value)


@pytest.mark.parametrize("scanned", [None, [("a.jpg", 1, 0)]])
def test_a_scan_that_gives_no_records_is_named(tmp_path, scanned):
    class Wrong(Dataset):
        name = "Wrong"
        folders = ("wrong",)

        def scan(self, split):
            return scanned

    (tmp_path / "wrong").mkdir()
    with pytest.raises(DatasetError, match=r"Wrong: scan\('train'\) is to return a list of reidzoo\.datasets\.Record"):
        Wrong(tmp_path).train  # noqa: B018


@pytest.mark.parametrize("ids", [(-2, 0), (1.5, 0), (1.0, 0), (True, 0), ("1", 0), (1, 0.5), (None, 0), (1, None)])
def test_pids_and_cameras_that_are_none_are_named(tmp_path, ids):
    class Odd(Dataset):
        name = "Odd"
        folders = ("odd",)

        def scan(self, split):
            return [Record("a.jpg", np.int64(1), np.int32(0)), Record("b.jpg", *ids)]

    (tmp_path / "odd").mkdir()
    with pytest.raises(DatasetError, match=r"Odd: 1 images have a pid or a camera that is none, such as b\.jpg: pid"):
        Odd(tmp_path).train  # noqa: B018


@pytest.mark.parametrize(
    "record, message",
    [
        (Record(b"b.jpg", 1, 0), r"Odd: 1 images have a path that is no text, such as b'b\.jpg'; give str\(path\)"),
        (Record("b.jpg", 2**70, 0), r"Odd: 1 images have a pid or a camera that is none, such as b\.jpg: pid 1180591"),
        (Record("b.jpg", 1, 0, timeid=1.5), r"Odd: 1 images have a timeid or a viewid that is none.* b\.jpg: 1\.5"),
        (Record("b.jpg", 1, 0, viewid=-2), r"Odd: 1 images have a timeid or a viewid that is none.* -1 and -2"),
    ],
)
def test_paths_times_and_views_that_are_none_are_named(tmp_path, record, message):
    class Odd(Dataset):
        name = "Odd"
        folders = ("odd",)

        def scan(self, split):
            return [Record(tmp_path / "a.jpg", 1, 0, timeid=np.int64(2)), record]

    (tmp_path / "odd").mkdir()
    with pytest.raises(DatasetError, match=message):
        Odd(tmp_path).train  # noqa: B018
    record = Record("b.jpg", 2, 0)
    assert [one.path for one in Odd(tmp_path).train] == [str(tmp_path / "a.jpg"), "b.jpg"]


def test_a_split_that_there_is_not_is_named(tmp_path, market):
    market(tmp_path / "Market-1501-v15.09.15")
    with pytest.raises(DatasetError, match="Market1501: there is no split 'test'; there are train, query, gallery"):
        Market1501(tmp_path).records("test")


def test_scan_is_abstract(tmp_path):
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotImplementedError):
        Dataset(tmp_path, "plain").records("train")


def test_complete_folder_is_preferred_to_an_incomplete_one(tmp_path, market):
    (tmp_path / "Market-1501-v15.09.15").mkdir()
    market(tmp_path / "Market-1501")
    assert Market1501(tmp_path).folder == str(tmp_path / "Market-1501")


def test_an_archive_may_lie_in_a_folder_of_its_own_name(tmp_path, market):
    inner = market(tmp_path / "Market-1501-v15.09.15" / "Market-1501-v15.09.15")
    assert Market1501(tmp_path).folder == str(inner)
    assert Market1501("/", folder=str(inner.parent)).folder == str(inner)


@pytest.mark.parametrize("absolute", [False, True])
def test_folder_argument(tmp_path, market, absolute):
    folder = market(tmp_path / "somewhere" / "else")
    dataset = Market1501(tmp_path, folder=str(folder) if absolute else "somewhere/else")
    assert len(dataset.train) == 3


def test_home_is_expanded(tmp_path, market, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    market(tmp_path / "data" / "market1501")
    assert Market1501("~/data").folder == str(tmp_path / "data" / "market1501")


def test_counts_that_differ_are_warned_of(tmp_path, market, caplog):
    market(tmp_path / "market1501")
    dataset = Market1501(tmp_path)
    with caplog.at_level(logging.WARNING, logger="reidzoo"):
        assert dataset.train
        assert dataset.train  # read once, warned once
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "Market1501: train has 2 identities and 3 images" in message
    assert "751 and 12,936 are published" in message


def test_counts_that_agree_are_silent(tmp_path, market, caplog, monkeypatch):
    market(tmp_path / "market1501")
    monkeypatch.setattr(Market1501, "published", {"train": (2, 3), "query": (1, 1), "gallery": (2, 2)})
    for keep_junk in (False, True):
        dataset = Market1501(tmp_path, keep_junk=keep_junk)
        assert dataset.train and dataset.query and dataset.gallery
    assert not dataset.is_twin
    assert not caplog.records


def test_twin_is_silent_and_says_so(tmp_path, market, caplog):
    folder = market(tmp_path / "Market-1501-v15.09.15")
    (folder / "twin.json").write_text("{}")
    dataset = Market1501(tmp_path)
    assert dataset.is_twin
    assert dataset.train
    assert not caplog.records
    expected = (
        "Market1501 (rendered twin): train 2 ids, 3 images, 3 cameras; query 1 ids, 1 images, 1 cameras; "
        "gallery 2 ids, 2 images, 2 cameras"
    )
    assert dataset.summary() == expected


@pytest.mark.parametrize("where", ["RandPerson", "RandPerson/subset", "RandPerson/subset/randperson_subset"])
def test_twin_file_may_lie_in_any_folder_of_the_dataset(tmp_path, touch, where):
    touch(tmp_path / "RandPerson/subset/randperson_subset", ["000000_s00_c00_f000264.jpg"])
    (tmp_path / "twin.json").touch()  # of the root, not of the dataset
    assert not RandPerson(tmp_path).is_twin
    (tmp_path / where / "twin.json").touch()
    assert RandPerson(tmp_path).is_twin


def test_twin_search_ends_at_the_root(tmp_path, market):
    folder = market(tmp_path / "market1501")
    assert not Market1501("/", folder=str(folder)).is_twin
    assert not Market1501(folder, folder=".").is_twin


def test_strange_names_are_an_error_that_names_them(tmp_path, market):
    folder = market(tmp_path / "market1501")
    for name in ("a.jpg", "b.jpg", "c.png", "d.jpg"):
        (folder / "query" / name).touch()
    with pytest.raises(DatasetError, match=r"4 of the 5 images .*query .*: a.jpg, b.jpg, c.png, \.\.\."):
        assert Market1501(tmp_path).query


def test_folder_without_images_is_an_error_with_remedies(tmp_path, market):
    market(tmp_path / "market1501", {"bounding_box_train": [], "query": ["readme.txt"], "bounding_box_test": ["x.txt"]})
    (tmp_path / "market1501" / "bounding_box_train").mkdir()
    with pytest.raises(DatasetError, match=r"(?s)bounding_box_train holds no image.*Obtain it from.*reidzoo render"):
        assert Market1501(tmp_path).train


def test_image_names_skips_what_is_no_image(tmp_path, touch):
    touch(tmp_path, ["b.JPG", "a.png", ".hidden.jpg", "._a.png", "Thumbs.db", "readme.txt", "c.jpeg"])
    assert image_names(str(tmp_path)) == ["a.png", "b.JPG", "c.jpeg"]


def test_absent_files(tmp_path, touch, monkeypatch):
    touch(tmp_path, ["one/a.jpg", "two/b.jpg", "c.jpg"])
    paths = [os.path.join(tmp_path, p) for p in ("one/a.jpg", "one/b.jpg", "two/b.jpg", "three/a.jpg")]
    assert absent_files(paths) == [paths[1], paths[3]]
    monkeypatch.chdir(tmp_path)
    assert absent_files(["c.jpg", "d.jpg"]) == ["d.jpg"]


def test_relative_path():
    folder = os.path.join("data", "set")
    assert relative_path(os.path.join(folder, "train", "a.jpg"), folder) == "train/a.jpg"
    assert relative_path(os.path.join("data", "settle", "a.jpg"), folder) == "data/settle/a.jpg"


def test_examples():
    assert examples(["a", "b"]) == "a, b"
    assert examples(["a", "b", "c", "d"]) == "a, b, c, ..."


@pytest.mark.slow
def test_scanning_takes_time_in_proportion_to_the_images(tmp_path, monkeypatch):
    (tmp_path / "randperson_subset").mkdir()
    seconds = []
    for count in (8_259, 132_145):
        names = [f"{i // 16:06d}_s{i % 11:02d}_c{i % 2:02d}_f{i:06d}.jpg" for i in range(count)]
        monkeypatch.setattr("reidzoo.datasets.base.os.listdir", lambda folder, names=names: names)
        start = time.process_time()
        assert len(RandPerson(tmp_path).train) == count
        seconds.append(time.process_time() - start)
    # Sixteen times the images; comparing each with each would take 256 times as long.
    assert seconds[1] < 100 * seconds[0]
