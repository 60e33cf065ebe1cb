from __future__ import annotations

import numpy as np
import pytest

from reidzoo.evaluation import evaluate_ranking


@pytest.mark.parametrize(
    "protocol, same", [("market1501", 8), ("camera_free", 16), ("cuhk03", 8), ("vehicleid", 16 * 3)]
)
def test_the_measures_are_those_of_an_evaluation(make_retrieval, protocol, same):
    """Four people under two cameras, one image each on either side; pooled, each has three others of its identity."""
    people = [(pid, camera) for pid in range(1, 5) for camera in (0, 1)]
    retrieval = make_retrieval(people, people, protocol=protocol)
    ids = [np.array([side[key] for side in people]) for key in (0, 0, 1, 1)]
    features = [retrieval.query_features, retrieval.gallery_features]
    if protocol == "vehicleid":  # the gallery stands first
        assert len(retrieval.query) == 16 and features[0] is features[1]
        features = [features[0][8:], features[0][:8]]
    result = evaluate_ranking(*features, *ids, protocol=protocol)
    ours, theirs = retrieval.result.figures(), result.figures()
    assert theirs == pytest.approx({name: ours[name] for name in theirs})
    assert retrieval.roc.num_positive == same
    assert retrieval.similarity and retrieval.shown(0.25) == 0.75


def test_one_identity_has_no_different_pairs(make_retrieval):
    retrieval = make_retrieval([(1, 0)], [(1, 1), (-1, 1)])
    assert retrieval.roc is None and retrieval.result.mAP == 1


def test_other_distances_are_shown_as_they_are(make_retrieval):
    retrieval = make_retrieval(metric="euclidean")
    assert not retrieval.similarity and retrieval.axis == "distance" and retrieval.shown(0.25) == 0.25
