from __future__ import annotations

import os

import pytest

from reidzoo.config import load_config, stage_configs
from reidzoo.config.sources import parse_overrides, read_chain
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.yaml_marks import unmark


def test_a_base_is_relative_to_its_file_and_comes_first(write):
    write("base/common.yml", "SEED: 1\nTEST: {FLIP: true}")
    write("base/b.yml", "_BASE_: common.yml\nSEED: 2")
    write("project/a.yml", "_BASE_: ../base/b.yml\nLOG: {PERIOD: 5}")
    cfg = load_config("project/a.yml")
    assert (cfg.SEED, cfg.TEST.FLIP, cfg.LOG.PERIOD) == (2, True, 5)


def test_a_list_of_bases_merges_in_order_and_each_file_once(write):
    write("common.yml", "SEED: 1\nINPUT: {TRANSFORMS: {erase: null}}")
    write("b.yml", "_BASE_: common.yml\nSEED: 2")
    write("c.yml", "_BASE_: common.yml\nLOG: {PERIOD: 7}")
    path = write("a.yml", "_BASE_: [b.yml, c.yml]")
    assert [source.tree.where for source in read_chain(path)] == ["common.yml:1", "b.yml:1", "c.yml:1", "a.yml:1"]
    cfg = load_config(path)
    assert (cfg.SEED, cfg.LOG.PERIOD) == (2, 7)
    assert "erase" not in cfg.INPUT.TRANSFORMS


def test_an_error_names_the_file_that_has_it(write, fails):
    write("base/b.yml", "SEED: 1\nSOLVER: {MAXX: 1}")
    assert fails("_BASE_: base/b.yml") == (
        f"{os.path.join('base', 'b.yml')}:2: unknown key SOLVER.MAXX; did you mean SOLVER.MAX_EPOCHS?"
    )


def test_a_circle_of_bases(write, fails):
    write("b.yml", "SEED: 1\n_BASE_: c.yml")
    write("c.yml", "_BASE_: [a.yml]")
    assert fails("_BASE_: b.yml") == "c.yml:1: _BASE_ goes in a circle: a.yml -> b.yml -> c.yml -> a.yml"
    assert fails("_BASE_: a.yml") == "a.yml:1: _BASE_ goes in a circle: a.yml -> a.yml"


def test_missing_files(write, fails):
    write("common.yml")
    assert fails("SEED: 1\n_BASE_: comon.yml") == "a.yml:2: _BASE_: comon.yml: no such file; did you mean common.yml?"
    assert fails("_BASE_:\n- common.yml\n- x/y.yml") == "a.yml:3: _BASE_: x/y.yml: no such file"
    with pytest.raises(ConfigError, match=r"^nothing\.yml: no such file$"):
        load_config("nothing.yml")
    os.mkdir("folder")
    with pytest.raises(ConfigError, match=r"^folder: is a folder, not a file"):
        load_config("folder")


def test_a_base_of_the_wrong_kind(fails):
    for text in ("_BASE_: 5", "_BASE_: [5]", "_BASE_: null", "_BASE_: {a: b}"):
        assert fails(text) == "a.yml:1: _BASE_: expected a file name or a list of them, relative to this file"


def test_a_file_that_is_no_mapping(write, fails):
    assert fails("- SEED") == "a.yml:1: a configuration is a mapping of keys to values"
    write("b.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"^b\.yml: cannot be read: "):
        load_config("b.yml")


def test_an_empty_file_is_the_defaults(load):
    assert load("").SEED == 0
    assert load("# nothing\n").SEED == 0


def test_paths_are_shown_as_typed(tmp_path):
    assert show_path(tmp_path / "a" / "b.yml") == os.path.join("a", "b.yml")
    assert show_path(tmp_path.parent / "b.yml") == str(tmp_path.parent / "b.yml")


# Overrides


def test_override_values_are_yaml():
    opts = ["A.B", "1e-3", "A.c", "[1, x]", "D", "", "E", "null", "F", "{type: X}", "G", "stage:a/b.pth", "H", 5]
    trees = [unmark(source.tree) for source in parse_overrides(opts)]
    assert trees == [
        {"A": {"B": 0.001}}, {"A": {"c": [1, "x"]}}, {"D": ""}, {"E": None}, {"F": {"type": "X"}},
        {"G": "stage:a/b.pth"}, {"H": 5},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (["SOLVER.MAXX", "1"], "override SOLVER.MAXX: unknown key SOLVER.MAXX; did you mean SOLVER.MAX_EPOCHS?"),
        (["SOLVER.MAX_EPOCHS", "x"], "override SOLVER.MAX_EPOCHS: expected an integer, got the string 'x'"),
        (["SEED", "010"], "override SEED: expected an integer, got the string '010'"),
        (["HEAD.bias", "no"], "override HEAD.bias: no is read differently by different YAML; write true or false, or "
         "quote it"),
        (["SEED", "1", "SOLVER.MAX_EPOCHS"], "override SOLVER.MAX_EPOCHS: no value; overrides are pairs, KEY VALUE KEY "
         "VALUE"),
        (["SEED=1", "LOG.PERIOD=2"], "override SEED=1: not a key; overrides are pairs, KEY VALUE, such as "
         "SOLVER.MAX_EPOCHS 2"),
        (["--seed", "1"], "override --seed: not a key; overrides are pairs, KEY VALUE, such as SOLVER.MAX_EPOCHS 2"),
        (["SOLVER..X", "1"], "override SOLVER..X: not a key; overrides are pairs, KEY VALUE, such as "
         "SOLVER.MAX_EPOCHS 2"),
        (["_BASE_", "b.yml"], "override _BASE_: _BASE_ stands in files only"),
        (["SEED", "[1"], "override SEED: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        (["LOSSES.id", "{type: A, type: B}"], "override LOSSES.id: duplicate key type, first at line 1"),
    ],
)  # fmt: skip
def test_a_wrong_override(fails, opts, message):
    assert fails("", *opts) == message


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "1e-3",
        "true",
        "no",
        "run #3",
        "#3",
        "[run",
        "exp: 3",
        "a/b c",
        "@x",
        "%x",
        "'tis",
        "- x",
        "stage:a",
        "null1",
    ],
)
def test_a_key_that_takes_a_string_takes_the_text_as_it_is(load, text):
    cfg = load(
        "STAGES: {a: {}}",
        "OUTPUT_DIR",
        text,
        "DATASETS.ROOT",
        text,
        "WEIGHTS.model",
        text,
        "STAGES.a.MODEL.WEIGHTS",
        text,
    )
    assert (cfg.OUTPUT_DIR, cfg.DATASETS.ROOT, cfg.WEIGHTS.model) == (text, text, text)
    assert text == stage_configs(cfg)["a"].MODEL.WEIGHTS
    assert text == load("", "OUTPUT_DIR", f"  {text} ").OUTPUT_DIR


def test_quotes_around_a_string_are_taken_off(load):
    assert load("", "OUTPUT_DIR", "'42'").OUTPUT_DIR == load("", "OUTPUT_DIR", '"42"').OUTPUT_DIR == "42"


def test_an_argument_and_a_mapping_are_yaml_though_the_default_is_a_string(load):
    assert load("", "BACKBONE.pretrained", "true").BACKBONE.pretrained is True
    assert load("", "WEIGHTS", "{model: x.pth}").WEIGHTS == {"model": "x.pth"}


def test_null_is_no_string(load, fails):
    assert fails("", "OUTPUT_DIR", "null") == "override OUTPUT_DIR: expected a string, got null"
    assert load("WEIGHTS: {model: x.pth}", "WEIGHTS.model", "null").WEIGHTS == {}


def test_a_string_that_a_plugin_declares(write, load):
    write("zplug.py", "def add_config(cfg): cfg.MINE = ''")
    assert load("PLUGINS: [./zplug]", "MINE", "run #3").MINE == "run #3"


def test_nothing_of_a_value_is_dropped_as_a_comment(load, fails):
    cfg = load("", "BACKBONE.pretrained", "weights #3.pth", "HEAD.pooling", "# all")
    assert (cfg.BACKBONE.pretrained, cfg.HEAD.pooling) == ("weights #3.pth", "# all")
    assert load("", "BACKBONE", "{type: ResNet, pretrained: 'weights #3.pth'}").BACKBONE.pretrained == "weights #3.pth"
    assert fails("", "SEED", "4 # four") == "override SEED: expected an integer, got the string '4 # four'"
    for value in ("[64, 32] # small", "'64' # x"):
        assert fails("", "INPUT.SIZE", value) == (
            "override INPUT.SIZE: what follows # would be left out as a comment; put what it belongs to in quotes"
        )


def test_overrides_reach_into_free_nodes(load):
    cfg = load(
        "LOSSES: {id: {type: A, weight: 1}}",
        "LOSSES.id.weight", "5", "HEAD.pooling", "gem", "BACKBONE.ibn", "a", "LOSSES.tri", "{type: T, m: 1}",
        "LOSSES.tri.inputs.x", "feat", "INPUT.TRANSFORMS.erase", "null", "WEIGHTS.model", "x.pth",
        "DATASETS.TRAIN.source", "[A]",
    )  # fmt: skip
    assert cfg.LOSSES == {"id": {"type": "A", "weight": 5}, "tri": {"type": "T", "m": 1, "inputs": {"x": "feat"}}}
    assert (cfg.HEAD.pooling, cfg.BACKBONE.ibn, cfg.BACKBONE.depth) == ("gem", "a", 50)
    assert "erase" not in cfg.INPUT.TRANSFORMS
    assert (cfg.WEIGHTS.model, cfg.DATASETS.TRAIN.source) == ("x.pth", ["A"])


def test_a_type_comes_before_its_arguments(load):
    assert load("", "HEAD.dim", "64", "HEAD.type", "Linear").HEAD == {"type": "Linear", "dim": 64}
    assert load("", "CLUSTERER.eps", "1", "CLUSTERER.type", "DBSCAN").CLUSTERER == {"type": "DBSCAN", "eps": 1}


def test_an_override_does_not_invent_an_entry(fails):
    text = "LOSSES: {triplet: {type: A}}"
    assert fails(text, "LOSSES.triplt.weight", "5") == (
        "override LOSSES.triplt.weight: LOSSES.triplt: no such entry, and a new one needs a type; "
        "did you mean LOSSES.triplet?"
    )
    assert fails(text, "LOSSES.triplt", "null") == (
        "override LOSSES.triplt: null deletes an entry, and there is none of this name; did you mean LOSSES.triplet?"
    )
    assert fails(text, "CLUSTERER.eps", "1") == "override CLUSTERER.eps: no such entry, and a new one needs a type"


def test_the_packages_files_lie_as_it_were_in_the_current_folder(write):
    for name, base in (("mine/a.yml", "../configs/mini_market1501.yml"), ("b.yml", "configs/mini_market1501.yml")):
        (first, *_) = read_chain(write(name, f"_BASE_: {base}"))
        assert "configs" in first.tree.where
    with pytest.raises(ConfigError, match="no such file"):
        read_chain(write("mine/c.yml", "_BASE_: ../../configs/mini_market1501.yml"))
