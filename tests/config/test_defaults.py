from __future__ import annotations

import inspect
import itertools
import re

from yacs.config import CfgNode

from reidzoo.config import defaults, get_cfg
from reidzoo.config.keys import lookup
from reidzoo.transforms.decode import INTERPOLATIONS


def test_each_call_gives_a_fresh_mutable_copy():
    first = get_cfg()
    first.SOLVER.MAX_EPOCHS = 99
    first.INPUT.SIZE.append(3)
    assert get_cfg().SOLVER.MAX_EPOCHS == 20
    assert get_cfg().INPUT.SIZE == [256, 128]
    assert not get_cfg().is_frozen()


def test_declared_keys_are_upper_case():
    def check(node):
        for key, value in node.items():
            assert key.isupper(), key
            if isinstance(value, CfgNode) and not value.is_new_allowed():
                check(value)

    check(get_cfg())


def test_choices_lengths_and_plain_entries_name_keys_that_are_there():
    cfg = get_cfg()
    assert all(lookup(cfg, path) in choices for path, choices in defaults.CHOICES.items())
    assert all(len(lookup(cfg, path)) == length for path, length in defaults.LENGTHS.items())
    assert all(lookup(cfg, path).is_new_allowed() for path in defaults.PLAIN_ENTRIES)


def test_free_nodes():
    cfg = get_cfg()
    for path in ("STAGES", "WEIGHTS", "DATASETS.TRAIN", "INPUT.TRANSFORMS", "MODEL", "HEAD", "LOSSES", "OPTIMIZERS"):
        assert lookup(cfg, path).is_new_allowed(), path
    for path in ("SOLVER", "TEST", "TEST.RERANK", "TEST.ROC", "INPUT", "DATASETS"):
        assert not lookup(cfg, path).is_new_allowed(), path
    assert list(cfg.INPUT.TRANSFORMS) == ["flip", "crop", "normalize", "erase"]


def test_a_key_has_a_comment_unless_its_name_says_it_all():
    lines = inspect.getsource(defaults).splitlines()
    bare = {
        line.strip().partition(" = ")[0]
        for above, line in itertools.pairwise(lines)
        if re.match(r"    cfg\.[A-Z_.]+ = ", line) and not above.strip().startswith("#") and "CfgNode()" not in line
    }
    named = {"INPUT.STD", "MODEL", "BACKBONE", "HEAD", "TRAINER", "SOLVER.MAX_EPOCHS"}
    assert bare <= {f"cfg.{name}" for name in named}


def leaves(node, path=""):
    for key, value in node.items():
        if isinstance(value, CfgNode):
            yield from leaves(value, f"{path}{key}.")
        elif key.isupper():
            yield f"{path}{key}", value


def test_every_key_has_a_range_or_choices_unless_its_type_says_it_all():
    cfg = get_cfg()
    assert all(rule.accepts(lookup(cfg, path)) for path, rule in defaults.RANGES.items())
    assert set(defaults.HINTS) <= set(defaults.RANGES)
    bare = {path for path, value in leaves(cfg) if not isinstance(value, bool)}
    bare -= defaults.RANGES.keys() | defaults.CHOICES.keys()
    assert bare == {"PLUGINS", "ZOO.INDEXES", "MODEL.WEIGHTS"}  # read_indexes and load_plugins check their own


def test_interpolations_are_those_of_the_reader():
    assert set(defaults.CHOICES["INPUT.INTERPOLATION"]) <= set(INTERPOLATIONS)
