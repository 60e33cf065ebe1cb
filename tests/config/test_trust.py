"""What a configuration that comes with weights may name."""

from __future__ import annotations

import logging

import pytest

from reidzoo.config import load_config, stage_names, trust
from reidzoo.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a run's config.yml."""

    def write(text):
        (tmp_path / "config.yml").write_text(text)
        return tmp_path / "config.yml"

    return write


@pytest.mark.parametrize(
    "text, message",
    [
        ("HEAD: {type: a.B}", r"config\.yml:1: HEAD: a\.B: a configuration that comes with weights may name"),
        ("MODEL: {x: [{type: a.B}]}", r"MODEL\.x\[0\]: a\.B"),
        ("STAGES: {one: {DATASETS: {TESTS: [a.B]}}}", r"STAGES\.one\.DATASETS\.TESTS\.0: a\.B"),
        ("DATASETS:\n  TRAIN:\n    train: {type: HoldOut, dataset: a.B}", r":3: DATASETS\.TRAIN\.train\.dataset: a\.B"),
        ("DATASETS: {TRAIN: a.B}", r"DATASETS\.TRAIN: a\.B"),
        ("PLUGINS: [os]", "PLUGINS: os"),
        ("HEAD: {type: torchvision.transforms.v2.RandomInvert}", r"HEAD: torchvision\."),
        ("INPUT: {TRANSFORMS: {x: {type: torchvision.transforms.v2.functional.invert}}}", r"INPUT\.TRANSFORMS\.x"),
        ("INPUT: {TRANSFORMS: {x: {type: torchvision.transforms.functional.invert}}}", r"INPUT\.TRANSFORMS\.x"),
        ("INPUT: {TRANSFORMS: {x: {transform: {type: a.B}}}}", r"INPUT\.TRANSFORMS\.x\.transform: a\.B"),
        ("PLUGINS: [./x.py]", r"PLUGINS: \./x\.py"),
    ],
)
def test_what_takes_trust(write, text, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(text), trust=False)


@pytest.mark.parametrize(
    "text",
    [
        "DATASETS: {ROOT: ./my.data, TRAIN: {train: {type: PseudoLabeled, dataset: VIPeR, labels: a/b.csv}}}",
        "BACKBONE: {type: ResNet, pretrained: some/file.pth}",
        "INPUT: {TRANSFORMS: {x: {type: torchvision.transforms.v2.RandomInvert}}}",  # looked up, and not imported
        "INPUT: {TRANSFORMS: {x: {type: torchvision.transforms.RandomInvert}}}",
        "LOSSES: {x: {type: torch.nn.L1Loss}}",  # nothing that embeds builds a loss
    ],
)
def test_what_does_not(write, text):
    load_config(write(text), trust=False)


def test_trusted_or_ones_own(write, caplog):
    path = write("HEAD: {type: torch.nn.Identity}\nZOO: {INDEXES: [x.yml]}")
    with caplog.at_level(logging.WARNING):
        assert load_config(path).HEAD.type == "torch.nn.Identity"
        assert not caplog.records
        assert [str(path.parent / "x.yml")] == load_config(path, trust=True).ZOO.INDEXES
    assert "HEAD: torch.nn.Identity is trusted, and will be imported" in caplog.text


def test_overrides_are_the_callers_own(write):
    path = write("HEAD: {type: BNNeck}")
    assert load_config(path, ["HEAD.type", "torch.nn.Identity"], trust=False).HEAD.type == "torch.nn.Identity"


def test_indexes_are_left_out(write):
    assert load_config(write("ZOO: {INDEXES: ['https://x.org/i.yml']}"), trust=False).ZOO.INDEXES == []


def test_plug_ins_of_the_projects(write, tmp_path, monkeypatch):
    package = tmp_path / "projects/X/a_plug_in_to_trust"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    path = write("PLUGINS: [projects/X/a_plug_in_to_trust]")
    with pytest.raises(ConfigError, match="trust=True"):
        load_config(path, trust=False)
    monkeypatch.setattr(trust, "ROOT", tmp_path)
    assert [str(package)] == load_config(path, trust=False).PLUGINS


@pytest.mark.parametrize(
    "base, text",
    [
        ("", "SEED: 1"),
        ("", "STAGES: {a: {}, b: {SEED: 1}}"),
        ("", "STAGES: [{NAME: a}, {NAME: b}]"),
        ("STAGES: {a: {}, b: {}}", "STAGES: {b: null}"),
        ("STAGES: {a: {}, b: {}}", "STAGES: {c: {}}"),
        ("STAGES: {a: {}, b: {}}", "STAGES: {c: {}, b: {}, a: {}}"),
        ("STAGES: {a: {}, b: {}}", "STAGES: null"),
        ("STAGES: {a: {}, b: {}}", "STAGES: {c: {}}\n_REPLACE_: true"),
    ],
)
def test_names_of_stages_without_importing_anything(write, tmp_path, base, text):
    (tmp_path / "base.yml").write_text(base)
    path = write(f"_BASE_: base.yml\n{text}")
    assert stage_names(path) == list(load_config(path).STAGES)
    path = write(f"_BASE_: base.yml\nPLUGINS: [no_such_package]\n{text}")
    stage_names(path)


def test_who_needs_trust(write):
    assert not trust.needs_trust(write("SEED: 1"))
    assert trust.needs_trust(write("PLUGINS: [./mine]"))
