from __future__ import annotations

import pytest

from reidzoo.config import get_cfg
from reidzoo.config.keys import lookup, nearest_key


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("SOLVER.MAXX", "SOLVER.MAX_EPOCHS"),
        ("SOLVER.IMS_PER_BACH", "SOLVER.IMS_PER_BATCH"),
        ("SOLVER.EVAL_PERIOD", "TEST.EVAL_PERIOD"),
        ("TEST.IMS_PER_BATCHES", "TEST.IMS_PER_BATCH"),
        ("MAX_EPOCHS", "SOLVER.MAX_EPOCHS"),
        ("solver.max_epochs", "SOLVER.MAX_EPOCHS"),
        ("SOVLER", "SOLVER"),
        ("DATASET.ROOT", "DATASETS.ROOT"),
        ("NUM_WORKER", "DATALOADER.NUM_WORKERS"),
        ("SOLVER.ZZZ", None),
        ("QUUX", None),
    ],
)
def test_nearest_key(said, meant):
    assert nearest_key(said, get_cfg()) == meant


def test_lookup():
    assert lookup(get_cfg(), "TEST.RERANK.K1") == 20
    assert lookup(get_cfg(), "TEST.FOO.K1") is None
    assert lookup(get_cfg(), "SEED.K1") is None
    assert lookup(get_cfg(), "") == get_cfg()
