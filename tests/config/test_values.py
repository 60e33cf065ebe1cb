from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SEED: x", "a.yml:1: SEED: expected an integer, got the string 'x'"),
        ("SEED: 010", "a.yml:1: SEED: expected an integer, got the string '010'"),
        ("SEED: 1.0", "a.yml:1: SEED: expected an integer, got 1.0"),
        ("SEED: true", "a.yml:1: SEED: expected an integer, got true"),
        ("SEED: null", "a.yml:1: SEED: expected an integer, got null"),
        ("SEED: [1]", "a.yml:1: SEED: expected an integer, got [1]"),
        ("SOLVER:\n  GRAD_CLIP: '1'", "a.yml:2: SOLVER.GRAD_CLIP: expected a number, got the string '1'"),
        ("SOLVER: {GRAD_CLIP: true}", "a.yml:1: SOLVER.GRAD_CLIP: expected a number, got true"),
        ("TEST: {FLIP: no}", "a.yml:1: TEST.FLIP: expected true or false, got the string 'no'"),
        ("TEST: {FLIP: 0}", "a.yml:1: TEST.FLIP: expected true or false, got 0"),
        ("OUTPUT_DIR: 5", "a.yml:1: OUTPUT_DIR: expected a string, got 5"),
        ("SOLVER: 5", "a.yml:1: SOLVER: expected a mapping, got 5"),
        ("SOLVER:", "a.yml:1: SOLVER: expected a mapping, got null"),
        ("MODEL: null", "a.yml:1: MODEL: expected a mapping, got null"),
        ("SEED: {a: 1}", "a.yml:1: SEED: expected an integer, got {'a': 1}"),
        ("INPUT: {SIZE: 256}", "a.yml:1: INPUT.SIZE: expected a list, got 256"),
        ("INPUT: {SIZE: [256, 1.5]}", "a.yml:1: INPUT.SIZE[1]: expected an integer, got 1.5"),
        ("INPUT:\n  SIZE:\n  - 256\n  - x", "a.yml:4: INPUT.SIZE[1]: expected an integer, got the string 'x'"),
        ("INPUT: {SIZE: [256]}", "a.yml:1: INPUT.SIZE: expected 2 elements, got 1"),
        ("INPUT: {MEAN: []}", "a.yml:1: INPUT.MEAN: expected 3 elements, got 0"),
        ("DEVICE: gpu", "a.yml:1: DEVICE: expected auto, cpu, cuda or mps, got the string 'gpu'"),
        ("HEAD: {type: 5}", "a.yml:1: HEAD.type: expected a registered name, got 5"),
        ("HEAD: {type: null}", "a.yml:1: HEAD.type: expected a registered name, got null"),
    ],
)
def test_a_wrong_type(fails, text, message):
    assert fails(text) == message


def test_an_integer_is_a_number_and_a_number_in_e_notation_too(load):
    cfg = load("SOLVER: {GRAD_CLIP: 1}\nINPUT: {MEAN: [0, 0, 1]}\nTEST: {RERANK: {LAMBDA: 1e-3}}")
    assert type(cfg.SOLVER.GRAD_CLIP) is float
    assert [type(value) for value in cfg.INPUT.MEAN] == [float] * 3
    assert cfg.TEST.RERANK.LAMBDA == 0.001
    assert load("OPTIMIZERS: {model: {lr: 1e-3}}").OPTIMIZERS.model.lr == 0.001


def test_on_and_leading_zeros_are_strings_where_a_string_is_declared(load):
    cfg = load("DATALOADER: {CACHE: on}\nOUTPUT_DIR: 010")
    assert (cfg.DATALOADER.CACHE, cfg.OUTPUT_DIR) == ("on", "010")
    assert type(cfg.OUTPUT_DIR) is str


def test_on_and_leading_zeros_are_errors_where_nobody_can_say(fails, load):
    assert fails("HEAD: {bias: no}") == (
        "a.yml:1: HEAD.bias: no is read differently by different YAML; write true or false, or quote it"
    )
    assert fails("LOSSES:\n  id: {type: A, ids: [1, 010]}") == (
        "a.yml:2: LOSSES.id.ids[1]: 010 is read differently by different YAML; write 10, or quote it"
    )
    assert load("HEAD: {bias: 'no'}").HEAD.bias == "no"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SEED: 1\nINPUT:\n  MEAN: [123.7, 116.3, 103.5]",
            r"a.yml:3: INPUT.MEAN: expected .* 0 to 1 .*divide .* by 255",
        ),
        ("INPUT: {SIZE: [0, 32]}", r"a.yml:1: INPUT.SIZE: expected a list of 2 values, each a whole number from 8"),
        ("LOG: {PERIOD: 0}", "a.yml:1: LOG.PERIOD: expected a whole number of at least 1; got 0"),
        ("SOLVER:\n  MAX_EPOCHS: 0", r"a.yml:2: SOLVER.MAX_EPOCHS: .*trains nothing.*; got 0"),
        ("SOLVER: {IMS_PER_BATCH: 1}", r"SOLVER.IMS_PER_BATCH: expected a whole number from 2 .*; got 1"),
        ("SOLVER: {GRAD_CLIP: .nan}", "SOLVER.GRAD_CLIP: expected a number of at least 0; got nan"),
        ("SOLVER: {GRAD_CLIP: 1" + 400 * "0" + "}", "SOLVER.GRAD_CLIP: expected a number, got 1000"),
        ("MODEL: {BN_GROUP: 1}", "MODEL.BN_GROUP: expected 0, or a whole number from 2 to 65536; got 1"),
        ("WEIGHTS_IGNORE: ['*']", r"WEIGHTS_IGNORE: expected .*nothing would be loaded.*got \['\*'\]"),
        ("DATASETS: {TESTS: [3]}", r"DATASETS.TESTS: expected .* a name, or a mapping with a type; got \[3\]"),
        ("DATASETS: {TRAIN: {train: 3}}", r"DATASETS.TRAIN.train: expected a name, .*; got 3"),
        ("WEIGHTS: {model: 3}", "WEIGHTS.model: expected a path or a name, or '' for none; got 3"),
        ("LOSSES: {type: TripletLoss}", "LOSSES has no type of its own; it gives a name to each entry, LOSSES.NAME"),
        ("STAGES: {a: {LOG: {PERIOD: 0}}}", "a.yml:1: STAGES.a.LOG.PERIOD: expected a whole number of at least 1"),
    ],
)
def test_values_out_of_range_are_named_with_their_place(fails, text, message):
    assert re.search(message, fails(text))


def test_an_override_out_of_range_is_named(fails):
    assert fails("", "LOG.PERIOD", "0").startswith("override LOG.PERIOD: expected a whole number of at least 1")
