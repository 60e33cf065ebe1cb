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


class Bare:
    """A third party's dataset that derives from nothing."""

    name, folder, protocol, is_twin = "Bare", "", "market1501", False
    train, query, gallery = [], [], []

    def __init__(self, root):
        self.root = root

    def records(self, split):
        return getattr(self, split)


def test_a_dataset_need_not_be_a_subclass_and_can_be_wrapped(monkeypatch):
    monkeypatch.setitem(DATASET.module_dict, "Bare", Bare)
    assert build_dataset("Bare", root="here").root == "here"
    wrapped = build_dataset({"type": "Unlabeled", "dataset": "Bare"})
    assert (wrapped.name, wrapped.protocol, wrapped.repeats, wrapped.train) == ("Bare", "market1501", None, [])


@pytest.mark.parametrize("name", ["is_twin", "protocol", "records", "query"])
def test_what_a_dataset_lacks_is_said_when_it_is_built(monkeypatch, name):
    monkeypatch.delattr(Bare, name)
    monkeypatch.setitem(DATASET.module_dict, "Bare", Bare)
    with pytest.raises(ConfigError, match=f"DATASET: Bare has no {name}; .*subclass of reidzoo.datasets.Dataset"):
        build_dataset("Bare")


@pytest.mark.parametrize(
    "name", ["CUHK03", "CUHK03NP", "DukeMTMC", "Market1501", "RandPerson", "VIPeR", "VeRi776", "VehicleID"]
)
def test_the_folder_that_is_named_is_read(name, tiny_root, tmp_path):
    options = {"test_identities": 4} if name == "CUHK03" else {}
    usual = build_dataset({"type": name, **options}, root=tiny_root)
    (tmp_path / "elsewhere").symlink_to(usual.folder, target_is_directory=True)
    dataset = build_dataset({"type": name, "folder": "elsewhere", **options}, root=tmp_path)
    assert dataset.folder == str(tmp_path / "elsewhere") and len(dataset.train) == len(usual.train) > 0
    assert all(str(record.path).startswith(str(tmp_path / "elsewhere")) for record in dataset.train)
