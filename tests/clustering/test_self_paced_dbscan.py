from __future__ import annotations

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from reidzoo.clustering import JaccardDBSCAN, SelfPacedDBSCAN
from reidzoo.registry import CLUSTERER

DENSE = run_path(str(Path(__file__).with_name("dense_reference.py")))


def people(spread, n=300, seed=0):
    generator = np.random.default_rng(seed)
    centres = np.repeat(generator.standard_normal((n // 10, 16)), 10, axis=0)
    return (centres + spread * generator.standard_normal((n, 16))).astype(np.float32)


def expected(x, threshold=None):
    distance = DENSE["jaccard"](x, 15, 6).astype(np.float32)
    labels, tight, loose = (
        DENSE["renumber"](DENSE["dbscan"](distance, np.float32(eps), 4)) for eps in (0.6, 0.6 - 0.04, 0.6 + 0.04)
    )
    return DENSE["self_paced"](labels, tight, loose, threshold)[:2]


def test_equals_spcl_with_its_matrices_and_keeps_the_first_threshold():
    clusterer = CLUSTERER.build({"type": "SelfPacedDBSCAN", "k1": 15, "eps_gap": 0.04})
    threshold = None
    for spread in (1.0, 0.8, 0.6):
        labels, threshold = expected(people(spread), threshold)
        result = clusterer.fit_predict(people(spread))
        np.testing.assert_array_equal(result, labels)
        assert result.dtype == np.int64
        assert clusterer.state_dict()["threshold"] == pytest.approx(threshold, abs=1e-15)
        assert -1 in result and result.max() > 3


def test_a_resumed_clusterer_gives_the_same_labels():
    first = SelfPacedDBSCAN(15)
    first.fit_predict(people(1.0))
    state = first.state_dict()
    assert type(state["threshold"]) is float
    second = SelfPacedDBSCAN(15)
    second.load_state_dict(state)
    np.testing.assert_array_equal(first.fit_predict(people(0.7)), second.fit_predict(people(0.7)))
    assert second.state_dict() == state


def test_the_threshold_waits_for_the_first_cluster():
    clusterer = SelfPacedDBSCAN()
    assert clusterer.fit_predict(np.eye(3)).tolist() == [-1, -1, -1]
    assert clusterer.state_dict() == {"threshold": None}
    clusterer.load_state_dict({"threshold": None})
    assert clusterer.fit_predict(np.ones((5, 3))).tolist() == [0] * 5
    assert clusterer.state_dict() == {"threshold": 0.0}


def test_radii_without_a_gap_keep_every_cluster_that_dbscan_finds():
    """The three clusterings are one, of which every image is sure; also without images among their own neighbours."""
    for counted in (True, False):
        plain = JaccardDBSCAN(15, count_self=counted).fit_predict(people(1.0))
        found = SelfPacedDBSCAN(15, eps_gap=0, count_self=counted).fit_predict(people(1.0))
        np.testing.assert_array_equal(found, plain)
    assert (plain != JaccardDBSCAN(15).fit_predict(people(1.0))).any()


def test_a_state_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="expected a state with 'threshold' alone"):
        SelfPacedDBSCAN().load_state_dict({"T": 0.1})


@pytest.mark.parametrize(
    "settings", [{"eps_gap": -0.1}, {"eps_gap": 0.6}, {"eps": 0.99}, {"min_samples": 0}, {"k1": 2}]
)
def test_settings_out_of_range_are_refused_at_once(settings):
    with pytest.raises(ValueError, match="expected"):
        SelfPacedDBSCAN(**settings)
