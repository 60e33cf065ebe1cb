"""Rank lists against a plain sort of every query's gallery, and against the measures of the evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from reidzoo.evaluation import Labels, Mark, evaluate_ranking, rank_lists
from reidzoo.evaluation.ranking import build_protocol
from reidzoo.neighbours.distances import FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    query, gallery = rng.normal(size=(9, 4)).astype(np.float32), rng.normal(size=(31, 4)).astype(np.float32)
    gallery[5], gallery[6] = gallery[4], query[0]  # ties, and a query's copy
    pids, camids = rng.integers(0, 6, 9), rng.integers(0, 2, 9)
    gallery_pids, gallery_camids = rng.integers(-1, 5, 31), rng.integers(0, 2, 31)  # junk, and queries without a match
    return query, gallery, pids, gallery_pids, camids, gallery_camids


def make(data, protocol):
    query, gallery, *ids = data
    rules = build_protocol(protocol, Labels(*ids), 0, None)
    tables = FeatureTable(query, "query"), FeatureTable(gallery, "gallery")
    if rules.pooled:
        pool = FeatureTable.joined([tables[1], tables[0]], "pool")
        tables = pool, pool
    return rules, FeatureDistances(*tables)


def test_market_lists_are_those_of_a_plain_sort(data):
    pids, gallery_pids, camids, gallery_camids = data[2:]
    rules, source = make(data, "market1501")
    lists = rank_lists(source, rules, 40)
    assert lists.columns.shape == (9, 40) and (lists.columns[:, 31:] == -1).all()
    values = np.empty((9, 31))
    block = source.new_block()
    source.fill(0, block)
    values = source.to_distance(block[:9, :31].numpy())
    for q in range(9):
        marks = []
        for g in range(31):
            same = pids[q] == gallery_pids[g]
            marks.append(
                Mark.JUNK
                if gallery_pids[g] == -1
                else Mark.WRONG
                if not same
                else Mark.UNCOUNTED
                if camids[q] == gallery_camids[g]
                else Mark.RIGHT
            )
        order = sorted(range(31), key=lambda g: (values[q, g], marks[g] == Mark.RIGHT, g))
        assert lists.columns[q, :31].tolist() == order
        assert lists.marks[q, :31].tolist() == [marks[g] for g in order]
        np.testing.assert_allclose(lists.distances[q, :31], values[q, order])
        rights = [g for g in order if marks[g] == Mark.RIGHT]
        wrongs = [g for g in order if marks[g] == Mark.WRONG]
        assert lists.match[q] == (rights[0] if rights else -1) and lists.other[q] == wrongs[0]
        assert lists.missed[q] == bool(rights and values[q, wrongs[0]] <= values[q, rights[0]])
    short = rank_lists(source, rules, 5)
    np.testing.assert_array_equal(short.columns, lists.columns[:, :5])


@pytest.mark.parametrize("protocol", ["market1501", "camera_free", "cross_camera", "cuhk03", "vehicleid"])
def test_what_is_missed_is_what_rank_1_lacks(data, protocol):
    query, gallery, *ids = data
    rules, source = make(data, protocol)
    lists = rank_lists(source, rules, 5)
    result = evaluate_ranking(query, gallery, *ids, protocol=protocol, repeats=1)
    valid, block = lists.match >= 0, source.new_block()
    source.fill(0, block)
    values = source.to_distance(block[np.flatnonzero(valid), lists.match[valid]].numpy())
    np.testing.assert_allclose(lists.match_distance[valid], values)
    assert valid.sum() == result.num_valid_queries and 0 < lists.missed.sum() < valid.sum()
    assert 1 - lists.missed.sum() / valid.sum() == pytest.approx(result.cmc[0])
    np.testing.assert_array_equal(result.first_ranks[:, 0] > 0, valid)
    np.testing.assert_array_equal(result.first_ranks[:, 0] > 1, lists.missed)


def test_features_that_are_all_alike_put_every_match_last():
    labels = Labels(np.array([1]), np.array([1, 2, 3]), np.array([0]), np.array([1, 0, 1]))
    rules = build_protocol("market1501", labels, 0, None)
    same = FeatureTable(np.ones((1, 3)), "query"), FeatureTable(np.ones((3, 3)), "gallery")
    lists = rank_lists(FeatureDistances(*same), rules, 2)
    assert lists.columns.tolist() == [[1, 2]] and lists.missed.tolist() == [True]
