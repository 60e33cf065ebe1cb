"""check_dataset: our own datasets pass on small trees, and each broken clause is named."""

from __future__ import annotations

import pytest
from PIL import Image

from reidzoo.datasets import Dataset, Record, build_dataset, write_pseudo_labels
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET
from reidzoo.testing import SOURCE, ContractError, check_dataset
from reidzoo.testing.tiny import write_images

from .own_parts import own_parts

MARKET = {"type": "Market1501"}
NODES = {
    "CUHK03": {"type": "CUHK03", "test_identities": 4},
    "CUHK03NP": {"type": "CUHK03NP", "split": "labeled"},
    "CamStyled": {"type": "CamStyled", "dataset": MARKET},
    "HoldOut": {"type": "HoldOut", "dataset": MARKET, "part": "val"},
    "HoldOutIdentities": {"type": "HoldOutIdentities", "dataset": MARKET, "held_out": 4, "part": "val"},
    "Thinned": {"type": "Thinned", "dataset": MARKET, "shares": [3, 2, 1]},
    "TwoViews": {"type": "TwoViews", "dataset": MARKET},
    "Unlabeled": {"type": "Unlabeled", "dataset": MARKET},
    **{
        name: {"type": name}
        for name in ("DukeMTMC", "MSMT17", "MSMT17Renamed", "Market1501", "RandPerson", "VIPeR", "VeRi776", "VehicleID")
    },
}


def test_every_dataset_is_checked():
    assert {*NODES, "CSVDataset", "FolderDataset", "PseudoLabeled", "UnlabeledFolder"} == own_parts(DATASET)


@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
def test_our_own(node, tiny_root):
    check_dataset(node, root=tiny_root)


def test_our_own_that_read_any_folder(tmp_path):
    write_images(tmp_path)
    check_dataset(SOURCE, root=tmp_path)
    for pid in range(2):
        for camera in (1, 2):
            for split in ("train", "query", "gallery"):
                path = tmp_path / "images" / split / f"{pid}" / f"{pid}_c{camera}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (4, 8)).save(path)
    check_dataset({"type": "FolderDataset", "folder": "images"}, root=tmp_path)
    check_dataset({"type": "UnlabeledFolder", "folder": "images"}, root=tmp_path)


def test_our_own_with_labels_of_a_file(tmp_path, tiny_root):
    market = build_dataset(MARKET, root=tiny_root)
    labels = [number // 3 for number in range(len(market.train))]
    write_pseudo_labels(tmp_path / "labels.csv", market.train, labels, market.folder)
    node = {"type": "PseudoLabeled", "dataset": MARKET, "labels": str(tmp_path / "labels.csv")}
    check_dataset(node, root=tiny_root)


@pytest.fixture
def root(tmp_path):
    write_images(tmp_path)
    return tmp_path


class Theirs(Dataset):
    """A third party's dataset; subclasses have one defect each."""

    name, folders, required = "Theirs", (".",), ("source.csv",)

    def scan(self, split):
        return self.changed(list(build_dataset(SOURCE, root=self.root).records(split)), split)

    def changed(self, records, split):
        return records


def test_a_third_partys(root):
    check_dataset(Theirs, root=root)
    check_dataset(Theirs(root))


class NoName(Theirs):
    name = ""


class UnknownProtocol(Theirs):
    protocol = "market"


class TwinInWords(Theirs):
    def __init__(self, root):
        super().__init__(root)
        self.is_twin = "no"


class NoneRepeats(Theirs):
    repeats = 0


class Tuples(Theirs):
    def changed(self, records, split):
        return [tuple(record) for record in records]


class Lazy(Theirs):
    def records(self, split):
        return iter(self.scan(split))


class Reordered(Theirs):
    made = 0

    def __init__(self, root):
        super().__init__(root)
        type(self).made += 1

    def changed(self, records, split):
        return records[:: 1 if self.made % 2 else -1]


class NegativeCameras(Theirs):
    def changed(self, records, split):
        return [record._replace(camid=record.camid - 1) for record in records]


class TextLabels(Theirs):
    def changed(self, records, split):
        return [record._replace(pid=str(record.pid)) for record in records]


class TextDomains(Theirs):
    def changed(self, records, split):
        return [record._replace(domain=str(record.pid)) for record in records]


class ListsAFileTwice(Theirs):
    def changed(self, records, split):
        return [*records, records[0]]


class ListsWhatIsNotThere(Theirs):
    def changed(self, records, split):
        return [Record("nowhere.jpg", 0, 0), *records]


class NoGallery(Theirs):
    def changed(self, records, split):
        return [] if split == "gallery" else records


class OneCamera(Theirs):
    def changed(self, records, split):
        return [record._replace(camid=0) for record in records]


class Empty(Theirs):
    def changed(self, records, split):
        return []


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (NoName, "name is not empty"),
        (UnknownProtocol, "protocol is one of market1501, .*; it is 'market'"),
        (TwinInWords, "is_twin is a bool; it is 'no'"),
        (NoneRepeats, "repeats is None or a positive whole number; it is 0"),
        (Lazy, "train is a list of Record; it is a list_iterator"),
        (Reordered, "train comes in the same order each time"),
        (TextDomains, "domain is a whole number from 0 on; train has .'0'"),
        (ListsAFileTwice, "each file is once in train; .*png is there more often"),
        (ListsWhatIsNotThere, "the files exist; 1 of train do not: nowhere.jpg"),
        (NoGallery, "query and gallery are both there or both empty; 6 and 0"),
        (OneCamera, "its query and gallery suit its protocol, market1501; EvaluationInputError"),
        (Empty, "it has images to train on or to test on; it has none"),
    ],
)
def test_a_broken_clause_is_named(root, cls, said):
    with pytest.raises(ContractError, match=f"DATASET: {cls.__name__} breaks its contract: .*{said}"):
        check_dataset(cls, root=root)


def test_a_negative_camera_is_told_by_the_dataset_itself(root):
    with pytest.raises(DatasetError, match="images are of camera -1, such as "):
        check_dataset(NegativeCameras, root=root)


def test_a_pid_that_is_a_text_is_told_by_the_dataset_itself(root):
    with pytest.raises(DatasetError, match=r"24 images have a pid or a camera that is none, such as .*: pid '0'"):
        check_dataset(TextLabels, root=root)


def test_records_that_are_none_are_told_by_the_dataset_itself(root):
    with pytest.raises(DatasetError, match=r"scan\('train'\) is to return a list of reidzoo.datasets.Record"):
        check_dataset(Tuples, root=root)


def test_what_is_no_dataset(root):
    class Nothing:
        def __init__(self, root):
            self.name = "Nothing"

    with pytest.raises(ContractError, match="it lacks folder, protocol, is_twin, records, train, query, gallery"):
        check_dataset(Nothing, root=root)
