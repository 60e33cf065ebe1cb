from __future__ import annotations

import numpy as np
import pytest

from reidzoo.clustering import JaccardDBSCAN, dbscan, jaccard_graph
from reidzoo.registry import CLUSTERER


def people(n=200, seed=0):
    generator = np.random.default_rng(seed)
    return np.repeat(generator.standard_normal((n // 10, 16)), 10, axis=0) + 0.8 * generator.standard_normal((n, 16))


def test_built_from_the_registry_and_equal_to_its_parts():
    clusterer = CLUSTERER.build({"type": "JaccardDBSCAN", "k1": 12, "k2": 4, "eps": 0.55, "min_samples": 3})
    labels = clusterer.fit_predict(people())
    np.testing.assert_array_equal(labels, dbscan(jaccard_graph(people(), 12, 4), 0.55, 3))
    assert labels.dtype == np.int64 and labels.max() > 3


def test_images_not_counted_among_their_own_neighbours():
    labels = JaccardDBSCAN(12, 4, 0.5, 3, count_self=False).fit_predict(people())
    np.testing.assert_array_equal(labels, dbscan(jaccard_graph(people(), 12, 4, count_self=False), 0.5, 3))
    assert (labels != JaccardDBSCAN(12, 4, 0.5, 3).fit_predict(people())).any()


def test_the_same_features_give_the_same_labels():
    np.testing.assert_array_equal(JaccardDBSCAN().fit_predict(people()), JaccardDBSCAN().fit_predict(people()))


@pytest.mark.parametrize("settings", [{"eps": 0}, {"eps": 1.0}, {"min_samples": 0}, {"k1": 4}, {"k2": 0}])
def test_settings_out_of_range_are_refused_at_once(settings):
    with pytest.raises(ValueError, match="expected"):
        JaccardDBSCAN(**settings)
