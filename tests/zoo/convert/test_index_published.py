"""The authors' weights: every entry can be read, its recipe is one, and a download of its kind becomes a model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import reidzoo
from reidzoo.backbones.osnet import OSNet
from reidzoo.zoo.convert import check_recipe
from reidzoo.zoo.index import read_index

INDEX = Path(reidzoo.__file__).parent / "zoo" / "index_published.yml"
FOLDERS = (
    "1ryx-fPGjrexwm9ZP9QO3Qk4SKzNqbaXw",
    "1WC4JgbkaAr40uEew_JEqjUxgKIiIQx-W",
    "1thS2B8UOSBi_cJX6zRy6YYRwz_nVFI_S",
)


@pytest.fixture(scope="module")
def entries():
    return read_index(INDEX)[1]


def test_every_recipe_is_one(entries):
    for entry in entries.values():
        family, _ = check_recipe(entry.convert)
        assert entry.name.startswith(family.name)
        assert entry.licence.startswith(family.licence.split()[0])


def test_addresses_are_files_and_each_is_there_once(entries):
    addresses = [address for entry in entries.values() for address in entry.addresses]
    assert len(addresses) == len(set(addresses))
    assert all(re.fullmatch(r"gdrive:[\w-]{33}|https://\S+\.pth", address) for address in addresses)
    assert not [address for address in addresses if any(folder in address for folder in FOLDERS)]
    text = INDEX.read_text()
    assert all(folder in text for folder in FOLDERS)  # a comment says where they are


def test_the_authors_domainmix_and_its_numbers(entries):
    found = {name: entry.metrics for name, entry in entries.items() if name.startswith("domainmix")}
    assert found == {
        "domainmix_r50_to_market1501": {"Market1501": {"mAP": 0.435}},
        "domainmix_ibn_to_market1501": {"Market1501": {"mAP": 0.457}},
        "domainmix_r50_to_cuhk03np": {"CUHK03NP": {"mAP": 0.167}},
        "domainmix_ibn_to_cuhk03np": {"CUHK03NP": {"mAP": 0.183}},
        "domainmix_r50_to_msmt17": {"MSMT17": {"mAP": 0.093}},
        "domainmix_ibn_to_msmt17": {"MSMT17": {"mAP": 0.121}},
    }
    assert {entries[name].convert for name in found} == {"domainmix"}
    root = INDEX.parent.parent.parent
    assert all((root / entry.config).is_file() for entry in entries.values() if entry.config)


def test_the_command_in_the_comment_names_an_entry(entries):
    for text in (INDEX.read_text(), reidzoo.zoo.convert.__doc__):
        (name,) = re.findall(r"zoo://(\w+)", text)
        assert name in entries


def test_sizes_of_fastreid_are_its_configurations(entries):
    for name, entry in entries.items():
        if entry.convert.startswith("fastreid"):
            _, options = check_recipe(entry.convert)
            expected = "256x256" if "veri" in name else "384x128" if "sbs" in name else "256x128"
            assert options == {"size": expected, "pool": "avg" if "bot" in name else "gem"}


@pytest.mark.slow
def test_an_entry_with_a_recipe_becomes_a_model(tmp_path, monkeypatch):
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path / "home"))
    torch.manual_seed(0)
    state = OSNet(0.25, "ain").state_dict() | {
        "classifier.weight": torch.zeros(3, 128),
        "classifier.bias": torch.zeros(3),
    }
    torch.save({"state_dict": state}, tmp_path / "osnet.pth.tar")
    (tmp_path / "mine.yml").write_text(
        "osnet_of_mine:\n  {config: null, addresses: ['file:osnet.pth.tar'], sha256: null, size: null, "
        "convert: torchreid size=64x32, metrics: {}, data: nothing, source: nobody, licence: none, version: null}\n"
    )
    model = reidzoo.load("osnet_of_mine", index=tmp_path / "mine.yml")
    assert tuple(model.size) == (64, 32) and model.embed(torch.zeros(3, 70, 40, dtype=torch.uint8)).shape == (1, 128)
    assert model.info["licence"] == "none" and model.info["converted_from"] == "torchreid"
