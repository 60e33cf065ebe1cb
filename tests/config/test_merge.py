from __future__ import annotations

from collections.abc import Mapping

import pytest
from yacs.config import CfgNode

from reidzoo.config import get_cfg
from reidzoo.config.merge import Merge, check_taken
from reidzoo.errors import ConfigError
from reidzoo.yaml_marks import with_place


def test_values_merge_into_the_defaults(load):
    cfg = load("SEED: 3\nSOLVER: {MAX_EPOCHS: 2}\nTEST:\n  RERANK: {K1: 5}")
    assert (cfg.SEED, cfg.SOLVER.MAX_EPOCHS, cfg.TEST.RERANK.K1, cfg.TEST.RERANK.K2) == (3, 2, 5, 6)
    assert cfg.SOLVER.IMS_PER_BATCH == 64


# Unknown keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SEED: 1\nSOLVER:\n  MAXX: 2", "a.yml:3: unknown key SOLVER.MAXX; did you mean SOLVER.MAX_EPOCHS?"),
        ("solver: {}", "a.yml:1: unknown key solver; did you mean SOLVER?"),
        ("SOLVER: {EVAL_PERIOD: 1}", "a.yml:1: unknown key SOLVER.EVAL_PERIOD; did you mean TEST.EVAL_PERIOD?"),
        ("LOG: {ZZZ: 1}", "a.yml:1: unknown key LOG.ZZZ; LOG has PERIOD"),
        ("MODEL:\n  BN_GROUPS: 1", "a.yml:2: unknown key MODEL.BN_GROUPS; did you mean MODEL.BN_GROUP?"),
        ("BACKBONE: {DEPTH: 18}", "a.yml:1: unknown key BACKBONE.DEPTH; did you mean BACKBONE.depth?"),
        (
            "LOSSES: {id: {type: A, QQQ: 1}}",
            "a.yml:1: unknown key LOSSES.id.QQQ; names and arguments here are in lower case: qqq",
        ),
        (
            "LOSSES: {QQQ: {type: A}}",
            "a.yml:1: unknown key LOSSES.QQQ; names and arguments here are in lower case: qqq",
        ),
    ],
)
def test_an_unknown_key(fails, text, message):
    assert fails(text) == message


def test_an_unknown_section_is_answered_with_all_sections(fails):
    assert fails("QUUX: 1").startswith("a.yml:1: unknown key QUUX; the top level has PLUGINS, SEED, SEED_OFFSET, ")


def test_lower_case_arguments_are_not_checked_and_may_nest(load):
    cfg = load("HEAD: {type: BNNeck, anything: {deep: [1, {A: 2}], UPPER: 1}}")
    assert cfg.HEAD.anything.deep == [1, {"A": 2}]
    assert cfg.HEAD.anything.UPPER == 1


# Nodes


def test_the_same_type_merges_and_a_new_type_replaces(load):
    assert load("BACKBONE: {depth: 18}").BACKBONE == {
        "type": "ResNet", "depth": 18, "last_stride": 1, "pretrained": "imagenet",
    }  # fmt: skip
    assert load("BACKBONE: {type: ResNet, depth: 18}").BACKBONE.last_stride == 1
    assert load("BACKBONE: {type: OSNet, width: 2}").BACKBONE == {"type": "OSNet", "width": 2}


def test_a_new_type_keeps_declared_keys(load):
    cfg = load("MODEL: {type: Other, BN_GROUP: 16, depth: 2}")
    assert cfg.MODEL == {"type": "Other", "WEIGHTS": "", "BN_GROUP": 16, "BN_DOMAINS": 1, "depth": 2}


def test_null_deletes_an_entry_of_a_named_dict(load):
    assert list(load("INPUT:\n  TRANSFORMS: {erase: null}").INPUT.TRANSFORMS) == ["flip", "crop", "normalize"]


def test_null_among_arguments_is_an_argument(load):
    assert load("BACKBONE: {pretrained: null}").BACKBONE.pretrained is None
    assert load("HEAD: {type: A, b: {c: null}}").HEAD.b == {"c": None}


def test_null_empties_a_free_node(load):
    cfg = load("INPUT: {TRANSFORMS: null}\nHEAD: null")
    assert cfg.INPUT.TRANSFORMS == {}
    assert cfg.HEAD == {}


def test_null_of_an_entry_that_is_not_there_is_an_error(fails):
    assert fails("INPUT:\n  TRANSFORMS:\n    eraze: null") == (
        "a.yml:3: INPUT.TRANSFORMS.eraze: null deletes an entry, and there is none of this name; "
        "did you mean INPUT.TRANSFORMS.erase?"
    )


def test_new_entries_come_last_and_a_complete_mapping_gives_its_order(load):
    partial = load("INPUT: {TRANSFORMS: {gray: {type: Gray}, crop: {pad: 4}}}").INPUT.TRANSFORMS
    assert list(partial) == ["flip", "crop", "normalize", "erase", "gray"]
    full = load("INPUT: {TRANSFORMS: {gray: {type: Gray}, crop: {}, flip: {}, normalize: {}, erase: null}}")
    assert list(full.INPUT.TRANSFORMS) == ["gray", "crop", "flip", "normalize"]
    assert full.INPUT.TRANSFORMS.crop.pad == 10


def test_replace_replaces_free_nodes_and_keeps_declared_keys(load):
    cfg = load(
        "INPUT: {_REPLACE_: true, TRANSFORMS: {flip: {type: A}}}\nMODEL: {_REPLACE_: true, type: Embedder, x: 1}"
    )
    assert cfg.INPUT.TRANSFORMS == {"flip": {"type": "A"}}
    assert cfg.INPUT.SIZE == [256, 128]
    assert cfg.MODEL == {"type": "Embedder", "x": 1, "WEIGHTS": "", "BN_GROUP": 0, "BN_DOMAINS": 1}
    assert load("_REPLACE_: true\nBACKBONE: {type: ResNet}").BACKBONE == {"type": "ResNet"}


def test_what_replaces_gives_its_own_order(load):
    entries = "crop: {type: A}, flip: {type: B}, normalize: {type: C}"  # another order than the defaults', and no erase
    own = load(f"INPUT: {{TRANSFORMS: {{_REPLACE_: true, {entries}}}}}").INPUT.TRANSFORMS
    assert list(own) == ["crop", "flip", "normalize"]
    assert list(load(f"_REPLACE_: true\nINPUT: {{TRANSFORMS: {{{entries}}}}}").INPUT.TRANSFORMS) == list(own)


def test_replace_is_true_or_false(fails):
    assert fails("LOSSES: {_REPLACE_: 1}") == "a.yml:1: LOSSES._REPLACE_: expected true or false, got 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LOSSES: {id: 5}", "LOSSES has no type, so LOSSES.id must be a mapping with one; got 5"),
        ("LOSSES: {id: {}}", "LOSSES has no type, so LOSSES.id must be a mapping with one; got {}"),
        ("HOOKS: {ema: {decay: 0.9}}", "HOOKS.ema has no type, so HOOKS.ema.decay must be a mapping with one; got 0.9"),
        ("CLUSTERER: {eps: 0.6}", "CLUSTERER has no type, so CLUSTERER.eps must be a mapping with one; got 0.6"),
        (
            "DATASETS: {TRAIN: {source: {root: x}}}",
            "DATASETS.TRAIN.source: expected a name, or a mapping with a type, or a list of 1 or more values, each "
            "a name, or a mapping with a type; got {'root': 'x'}",
        ),
    ],
)
def test_an_entry_without_a_type(fails, text, message):
    assert fails("SEED: 1\n" + text) == f"a.yml:2: {message}"


def test_plain_entries_where_they_belong(load):
    cfg = load("WEIGHTS: {model: 'stage:label', head: b.pth}\nDATASETS: {TRAIN: {source: [A, {type: B}], target: C}}")
    assert cfg.WEIGHTS.model == "stage:label"
    assert cfg.DATASETS.TRAIN.source[1].type == "B"
    assert cfg.DATASETS.TRAIN.target == "C"


def test_a_named_dict_of_nodes_in_place_of_a_node(load):
    cfg = load("BACKBONE: {_REPLACE_: true, student: {type: A}, teacher: {type: B}}")
    assert cfg.BACKBONE == {"student": {"type": "A"}, "teacher": {"type": "B"}}


def test_nodes_come_back_as_nodes(load):
    cfg = load("LOSSES: {id: {type: A, inputs: {x: feat}}}")
    assert isinstance(cfg.LOSSES.id.inputs, CfgNode)
    assert isinstance(cfg.LOSSES.id, Mapping)
    assert dict(cfg.LOSSES.id.inputs) == {"x": "feat"}


# Merges of several configurations at once


def test_an_override_reaches_the_configurations_that_have_the_entry():
    declared = get_cfg()
    base = Merge(declared.clone(), declared)
    stage = base.fork("STAGES.a.")
    stage.add(with_place({"LOSSES": {"tri": {"type": "T"}}}, "a.yml:1"))
    for merge in (base, stage):
        merge.override(with_place({"LOSSES": {"tri": {"margin": 1}}}, "override LOSSES.tri.margin"))
    assert base.config.LOSSES == {}
    assert stage.config.LOSSES.tri == {"type": "T", "margin": 1}
    check_taken([base, stage], base)
    with pytest.raises(ConfigError, match=r"^override LOSSES\.tri\.margin: LOSSES\.tri: no such entry, and a new one"):
        check_taken([base], base)
