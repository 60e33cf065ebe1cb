from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from reidzoo.errors import UserError
from reidzoo.evaluation import EvaluationInputError, KReciprocal, evaluate_ranking, rerank_k_reciprocal
from reidzoo.evaluation.protocols import PROTOCOLS, Labels, MultiShotProtocol
from reidzoo.evaluation.ranking import evaluate_distances
from reidzoo.evaluation.ranks import count_ranks, rank_matches, ranks_of_matches, sort_rows
from reidzoo.neighbours.distances import DistanceSource

WORKER = """
import json, sys
import numpy as np, torch, torch.distributed as dist
from reidzoo.evaluation import evaluate_ranking
dist.init_process_group("gloo")
folder, rank = sys.argv[1], dist.get_rank()
case = dict(np.load(folder + "/case.npz"))
results = []
for options in json.loads(sys.argv[2]):
    result = evaluate_ranking(**case, **options, shard=True)
    results.append([result.mAP, result.mINP, result.cmc.tolist(), result.per_query_ap.tolist(),
                    sorted(result.roc.tpr_at.items()) + result.roc.fpr.tolist() if result.roc else None])
json.dump(results, open(f"{folder}/{rank}.json", "w"))
dist.destroy_process_group()
"""
OPTIONS = [{"roc": True}, {"metric": "euclidean"}, {"rerank": True}, {"protocol": "cuhk03", "repeats": 2},
           {"protocol": "vehicleid", "repeats": 2}]  # fmt: skip


@pytest.mark.parametrize("protocol", ["market1501", "camera_free", "cross_camera"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equals_the_plain_definition_on_random_cases(plain, make_case, protocol, metric):
    compared = refused = 0
    for seed in range(80):
        case = make_case(seed, metric)
        ap = ("step", "trapezoid")[seed % 2]
        rng = np.random.default_rng(seed)
        own = rng.integers(-1, len(case["gallery_pids"]), len(case["query_pids"])) if seed % 3 == 0 else None
        want = plain.ranking(*case.values(), protocol=protocol, metric=metric, ap=ap, own=own)
        options = {"protocol": protocol, "metric": metric, "ap": ap, "query_in_gallery": own}
        if want[3] == 0:
            refused += 1
            with pytest.raises(EvaluationInputError, match="no query has a true match"):
                evaluate_ranking(**case, **options)
            continue
        compared += 1
        got = evaluate_ranking(**case, **options)
        assert got.mAP == pytest.approx(want[0], abs=1e-12)
        assert got.cmc == pytest.approx(want[1], abs=1e-12)
        assert got.mINP == pytest.approx(want[2], abs=1e-12)
        assert (got.num_valid_queries, got.num_queries) == (want[3], len(case["query_pids"]))
        assert np.isfinite(got.per_query_ap).sum() == want[3]
        assert np.nanmean(got.per_query_ap) == pytest.approx(want[0], abs=1e-12)
    assert compared > 40 and refused > 0


def test_cuhk03_equals_plain_loops(plain, make_case):
    compared = 0
    for seed in range(25):
        case = make_case(seed)
        q, g, qp, gp, qc, gc = case.values()
        scores = []
        for trial in range(3):
            order = np.argsort(np.random.default_rng([7, trial]).permutation(len(gp)))
            for i in range(len(q)):
                own = next((j for j in order if gp[j] == qp[i] and gp[j] != -1 and gc[j] != qc[i]), None)
                if own is None:
                    continue
                drawn = {}
                for j in order:
                    if gp[j] != -1:
                        drawn.setdefault(int(gp[j]), j)
                drawn[int(qp[i])] = own
                pairs = [(plain.distance(q[i], g[j], "euclidean"), bool(j == own)) for j in drawn.values()]
                scores.append(plain.scores(pairs, "step"))
        if not scores:
            continue
        compared += 1
        got = evaluate_ranking(**case, protocol="cuhk03", metric="euclidean", seed=7, repeats=3)
        mean_ap, cmc, _ = plain.summary(scores)
        assert got.mAP == pytest.approx(mean_ap, abs=1e-12)
        assert got.cmc == pytest.approx(cmc, abs=1e-12)
        assert got.trials == 3
    assert compared > 10


def test_vehicleid_equals_plain_loops(plain, make_case):
    for seed in range(15):
        case = make_case(seed, num_query=6, num_gallery=14)
        q, g, qp, gp, _, _ = case.values()
        x, pids = np.concatenate([g, q]), np.concatenate([gp, qp])
        scores, queries = [], set()
        for trial in range(10):
            order = np.argsort(np.random.default_rng([0, trial]).permutation(len(pids)))
            drawn = {}
            for j in order:
                if pids[j] != -1:
                    drawn.setdefault(int(pids[j]), j)
            for i in range(len(x)):
                if pids[i] == -1 or drawn[int(pids[i])] == i:
                    continue
                queries.add(i)
                pairs = [(plain.distance(x[i], x[j], "euclidean"), pid == int(pids[i])) for pid, j in drawn.items()]
                scores.append(plain.scores(pairs, "step"))
        got = evaluate_ranking(q, g, qp, gp, protocol="vehicleid", metric="euclidean")
        mean_ap, cmc, _ = plain.summary(scores)
        assert got.mAP == pytest.approx(mean_ap, abs=1e-12)
        assert got.cmc == pytest.approx(cmc, abs=1e-12)
        assert (got.num_queries, got.num_valid_queries) == (20, len(queries))


def test_vehicleid_does_not_pool_an_image_twice(make_case):
    case = make_case(3, num_gallery=20)
    x, pids = case["gallery_features"], case["gallery_pids"]
    options = {"protocol": "vehicleid", "metric": "euclidean"}
    got = evaluate_ranking(x, x, pids, pids, query_in_gallery=np.arange(20), **options)
    one = evaluate_ranking(x[4:5], x, pids[4:5], pids, query_in_gallery=[4], **options)
    assert (got.num_queries, one.num_queries) == (20, 20)
    assert got.mAP == one.mAP


def test_hand_worked_example():
    # Ranks of the two matches: 1 and 3. Step AP = (1 + 2/3) / 2; trapezoid = (1 + (2/3 + 1/2) / 2) / 2.
    case = ([[0.0]], [[1.0], [2.0], [3.0], [4.0]], [5], [5, 0, 5, 7], [0], [1, 1, 1, 1])
    step = evaluate_ranking(*case, metric="euclidean")
    assert step.mAP == pytest.approx(5 / 6)
    assert step.mINP == pytest.approx(2 / 3)
    assert evaluate_ranking(*case, metric="euclidean", ap="trapezoid").mAP == pytest.approx((1 + 7 / 12) / 2)
    assert step.cmc.tolist() == [1.0] * 50


def test_permuting_a_tied_gallery_changes_nothing():
    rng = np.random.default_rng(0)
    kinds = rng.random((60, 96)).astype(np.float32)
    which = rng.integers(0, 60, 2500)
    q, g = kinds[rng.integers(0, 60, 40)], kinds[which]
    qp, gp = rng.integers(0, 9, 40), rng.integers(-1, 9, 2500)
    qc, gc = rng.integers(0, 4, 40), rng.integers(0, 4, 2500)
    for metric in ("cosine", "euclidean"):
        first = evaluate_ranking(q, g, qp, gp, qc, gc, metric=metric, roc=True)
        for seed in range(3):
            p = np.random.default_rng(seed).permutation(2500)
            other = evaluate_ranking(q, g[p], qp, gp[p], qc, gc[p], metric=metric, roc=True)
            assert other.mAP == first.mAP and other.mINP == first.mINP
            assert np.array_equal(other.cmc, first.cmc)
            assert np.array_equal(other.per_query_ap, first.per_query_ap)
            assert other.roc.tpr_at == first.roc.tpr_at and np.array_equal(other.roc.fpr, first.roc.fpr)


def test_permuting_an_untied_gallery_changes_nothing():
    rng = np.random.default_rng(1)
    q, g = rng.random((30, 64), dtype=np.float32), rng.random((2300, 64), dtype=np.float32) + 100
    qp, gp = rng.integers(0, 9, 30), rng.integers(0, 9, 2300)
    p = rng.permutation(2300)
    for metric in ("cosine", "euclidean"):
        options = {"protocol": "camera_free", "metric": metric}
        first = evaluate_ranking(q, g, qp, gp, **options)
        assert np.array_equal(evaluate_ranking(q, g[p], qp, gp[p], **options).per_query_ap, first.per_query_ap)


def test_constant_features_get_the_worst_ranks():
    gallery = np.ones((10, 4), np.float32)
    got = evaluate_ranking(np.ones((1, 4)), gallery, [1], [1] + [2] * 9, protocol="camera_free")
    assert got.mAP == pytest.approx(0.1)
    assert evaluate_ranking(np.zeros((1, 4)), 0 * gallery, [1], [1] + [2] * 9, protocol="camera_free",
                            metric="euclidean").mAP == pytest.approx(0.1)  # fmt: skip


def test_several_blocks_and_tiles_agree_with_sorting():
    rng = np.random.default_rng(2)
    q, g = rng.standard_normal((1100, 16)).astype(np.float32), rng.standard_normal((4500, 16)).astype(np.float32)
    qp, gp = rng.integers(0, 200, 1100), rng.integers(0, 250, 4500)
    qc, gc = rng.integers(0, 6, 1100), rng.integers(0, 6, 4500)
    got = evaluate_ranking(q, g, qp, gp, qc, gc, metric="euclidean")
    dist = (q.astype(float) ** 2).sum(1)[:, None] + (g.astype(float) ** 2).sum(1) - 2 * q.astype(float) @ g.T
    average = []
    for i, order in enumerate(np.argsort(dist, axis=1)):
        order = order[(gp[order] != qp[i]) | (gc[order] != qc[i])]
        ranks = np.flatnonzero(gp[order] == qp[i]) + 1
        average.append((np.arange(1, len(ranks) + 1) / ranks).mean())
    assert got.mAP == pytest.approx(np.mean(average), abs=1e-6)


def test_roc_is_exact(plain, make_case):
    for seed in range(30):
        case = make_case(seed, num_query=6, num_gallery=30)
        pairs = plain.ranking(*case.values(), protocol="market1501", metric="euclidean", ap="step")[4]
        positive, negative = [d for d, m in pairs if m], sorted(d for d, m in pairs if not m)
        if not positive or not negative:
            continue
        rates = (0.01, 0.1, 0.29, 0.9)
        roc = evaluate_ranking(**case, metric="euclidean", roc=rates).roc
        for rate in rates:
            allowed = [t for t in [-1.0, *positive] if sum(d <= t for d in negative) <= rate * len(negative) + 1e-9]
            assert roc.tpr_at[rate] == pytest.approx(sum(d <= max(allowed) for d in positive) / len(positive))
        assert (roc.num_positive, roc.num_negative) == (len(positive), len(negative))
        for place in (1, 250, 500, 777, 1000):
            edge = roc.thresholds[place] ** 2
            if min(abs(d - edge) for d in positive + negative) > 1e-4:
                assert roc.fpr[place] == pytest.approx(np.mean(np.array(negative) <= edge))
                assert roc.tpr[place] == pytest.approx(np.mean(np.array(positive) <= edge))


def test_roc_keeps_few_non_matches_and_stays_exact():
    rng = np.random.default_rng(4)
    q, g = rng.standard_normal((300, 8)).astype(np.float32), rng.standard_normal((3000, 8)).astype(np.float32)
    qp, gp = rng.integers(0, 40, 300), rng.integers(0, 40, 3000)
    roc = evaluate_ranking(q, g, qp, gp, protocol="camera_free", metric="euclidean", roc=[1e-3]).roc
    dist = ((q[:, None].astype(float) - g[None]) ** 2).sum(-1)
    same = qp[:, None] == gp
    limit = np.sort(dist[~same])[int(1e-3 * (~same).sum())]
    assert roc.tpr_at[1e-3] == pytest.approx((dist[same] < limit).mean(), abs=2e-5)


def test_takes_arrays_tensors_lists_and_memory_maps(tmp_path, make_case):
    case = make_case(11, num_query=6, num_gallery=40)
    want = evaluate_ranking(**case, metric="euclidean").per_query_ap
    q, g = case["query_features"], case["gallery_features"]
    np.save(tmp_path / "g.npy", g)
    mapped = np.load(tmp_path / "g.npy", mmap_mode="r")
    fortran, strided = np.asfortranarray(g), np.repeat(g, 2, axis=0)[::2]
    kinds = [g.astype(kind) for kind in (np.float64, np.float16, ">f4", np.int8)]
    tensor = torch.from_numpy(g)
    for gallery in (tensor, tensor.bfloat16(), g.tolist(), mapped, fortran, strided, *kinds):
        got = evaluate_ranking(**{**case, "gallery_features": gallery}, metric="euclidean").per_query_ap
        assert np.array_equal(got, want, equal_nan=True)
    learned = torch.from_numpy(q.copy()).requires_grad_()
    got = evaluate_ranking(**{**case, "query_features": learned}, metric="euclidean")
    assert np.array_equal(got.per_query_ap, want, equal_nan=True)
    labels = {key: torch.from_numpy(value) for key, value in case.items() if not key.endswith("features")}
    got = evaluate_ranking(q, g, **labels, metric="euclidean")
    assert np.array_equal(got.per_query_ap, want, equal_nan=True)


def test_inputs_are_left_alone(make_case):
    case = make_case(5, num_query=6, num_gallery=40)
    before = {key: value.copy() for key, value in case.items()}
    evaluate_ranking(**case, metric="euclidean", rerank=True, roc=True)
    assert all(np.array_equal(case[key], before[key]) for key in case)


BASE = {
    "query_features": np.eye(3, 4),
    "gallery_features": np.ones((5, 4)),
    "query_pids": [1, 2, 3],
    "gallery_pids": [1, 2, 3, 1, 2],
    "query_camids": [0, 0, 0],
    "gallery_camids": [1, 1, 1, 1, 1],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_features": np.full((3, 4), np.nan)}, "query_features: row 0 holds NaN or infinity"),
        ({"gallery_features": np.array([[1.0] * 4] * 4 + [[np.inf] * 4])}, "gallery_features: row 4"),
        ({"gallery_features": np.full((5, 4), 1e300)}, "infinity in float32"),
        ({"gallery_features": np.full((5, 4), 1e20)}, "float32's range"),
        ({"gallery_features": np.full((5, 4), 1e-30)}, "float32's range"),
        ({"gallery_features": np.array([[1.0] * 4] * 4 + [[1e-30] * 4])}, "float32's range"),
        ({"gallery_features": np.zeros((5, 4))}, "row 0 is all zeros"),
        ({"gallery_features": np.ones((5, 3))}, "not the same model"),
        ({"gallery_features": np.ones((0, 4)), "gallery_pids": [], "gallery_camids": []}, "gallery_features is empty"),
        ({"query_features": np.ones((0, 4)), "query_pids": [], "query_camids": []}, "query_features is empty"),
        ({"query_features": np.ones(4)}, r"expected \(N, D\)"),
        ({"query_features": [[1.0], [1.0, 2.0], [1.0]]}, "differ in length|expected"),
        ({"query_features": np.ones((3, 4), complex)}, "are not features"),
        ({"query_pids": [1, 2]}, "query_pids has shape"),
        ({"gallery_camids": [1] * 6}, "gallery_camids has shape"),
        ({"query_pids": [1.0, 2.0, 3.0]}, "must be integers"),
        ({"query_pids": np.array([1, 2, 2**63], np.uint64)}, "does not fit a signed 64-bit integer"),
        ({"metric": "l2"}, "metric='l2' is not known"),
        ({"ap": "auc"}, "ap='auc' is not known"),
        ({"protocol": "market"}, "protocol='market' is not known"),
        ({"max_rank": 0}, "max_rank=0"),
        ({"protocol": "cuhk03", "repeats": 0}, "repeats=0"),
        ({"roc": [0.0]}, "between 0 and 1"),
        ({"roc": ["0.1"]}, "between 0 and 1"),
        ({"roc": 0.1}, "roc=0.1: expected a list"),
        ({"roc": "0.1"}, "roc='0.1': expected a list"),
        ({"protocol": None}, "protocol=None is not known"),
        ({"protocol": "cuhk03", "seed": 1.5}, "seed=1.5"),
        ({"protocol": "cuhk03", "seed": -1}, "seed=-1"),
        ({"query_pids": [[1, 2], 2, 3]}, "query_pids: .*one integer per row"),
        ({"roc": True, "protocol": "cuhk03"}, "single-shot"),
        ({"rerank": True, "protocol": "vehicleid"}, "without rerank"),
        ({"rerank": 0.3}, "expected True, False or a KReciprocal"),
        ({"query_in_gallery": [0, 1, 5]}, "query_in_gallery"),
        ({"query_in_gallery": [0, 1, -2]}, "query_in_gallery"),
        ({"query_camids": None}, "needs the cameras.*camera_free"),
        ({"gallery_camids": [0] * 5}, "All images carry camera 0.*camera_free"),
        ({"query_camids": [0, 1, 2], "gallery_camids": [0, 1, 2, 0, 1]}, "by the query's own camera"),
        ({"query_camids": [0, -1, 0]}, "1 of 8 have the camera -1.*camera_free"),
        ({"gallery_camids": [1, 1, -2, 1, 1], "protocol": "cross_camera"}, "1 of 8 have the camera -2.*camera_free"),
        ({"gallery_camids": [-1] * 5, "protocol": "cuhk03"}, "5 of 8 have the camera -1.*camera_free"),
        ({"query_pids": [1, -2, 3], "gallery_pids": [1, -2, 3, 1, 2]}, "both hold the pid -2.*known is -1"),
        ({"query_pids": [7, 8, 9]}, "No query id is in the gallery"),
        ({"gallery_pids": [-1] * 5}, "Every gallery image is junk"),
        ({"gallery_pids": [-1] * 5, "protocol": "cuhk03"}, "Every gallery image is junk"),
    ],
)
def test_bad_input_is_refused_with_the_reason(change, message):
    with pytest.raises(EvaluationInputError, match=message) as caught:
        evaluate_ranking(**{**BASE, **change})
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, UserError)


@pytest.mark.parametrize("rates", [np.array([0.1, 0.5]), torch.tensor([0.1, 0.5]), iter([0.1, 0.5]), [np.float64(0.1)]])
def test_rates_come_in_any_array_or_iterable(make_case, rates):
    found = evaluate_ranking(**make_case(0), roc=rates, max_rank=np.int64(3)).roc.tpr_at
    assert min(found) == pytest.approx(0.1) and all(type(rate) is float for rate in found)


def test_a_negative_id_of_the_gallery_alone_is_a_non_match_and_unknown_cameras_do_not_matter_without_cameras():
    strangers = {**BASE, "gallery_pids": [1, 2, 3, -7, -9]}
    assert evaluate_ranking(**strangers).mAP == evaluate_ranking(**{**BASE, "gallery_pids": [1, 2, 3, 8, 9]}).mAP
    free = {**BASE, "query_camids": [-1] * 3, "gallery_camids": [-1] * 5, "protocol": "camera_free"}
    assert evaluate_ranking(**free).mAP == evaluate_ranking(**BASE).mAP


def test_labels_that_are_no_integers_are_refused_wherever_they_are_given():
    with pytest.raises(EvaluationInputError, match="query_pids holds float64"):
        Labels(np.array([1.5]), np.array([1]))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("rerank", [False, True])
def test_tensors_that_are_float64_by_default_change_nothing(make_case, float64_default, metric, rerank):
    case = make_case(0)
    case |= {key: np.asarray(case[key]) + 100 for key in ("query_features", "gallery_features")}  # far from the origin
    usual = evaluate_ranking(**case, metric=metric, rerank=rerank, roc=True)
    float64_default()
    found = evaluate_ranking(**case, metric=metric, rerank=rerank, roc=True)
    assert (found.mAP, found.roc.tpr_at) == (usual.mAP, usual.roc.tpr_at)


def test_no_roc_may_be_numpys_false():
    assert evaluate_ranking(**BASE, roc=np.bool_(False)).roc is None


def test_vehicleid_without_a_second_image_is_refused():
    with pytest.raises(EvaluationInputError, match="No identity has two images"):
        evaluate_ranking([[1.0]], [[2.0]], [1], [1], protocol="vehicleid", query_in_gallery=[0])


def test_camera_free_is_the_way_out_when_all_cameras_are_one():
    got = evaluate_ranking(**{**BASE, "gallery_camids": [0] * 5}, protocol="camera_free")
    assert got.num_valid_queries == 3


def test_one_single_image():
    got = evaluate_ranking([[1.0, 2.0]], [[3.0, 1.0]], [4], [4], [0], [1])
    assert got.mAP == got.mINP == got.cmc[0] == got.cmc[-1] == 1.0


def test_result_to_dict_is_plain(make_case):
    got = evaluate_ranking(**make_case(11, num_query=6, num_gallery=40), metric="euclidean", roc=True, max_rank=12)
    values = got.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["rank-10"] == got.cmc[9] and "rank-20" not in values and "TPR@FPR=0.001" in values


def test_a_protocol_of_ones_own_is_one_class(make_case):
    class OddCameras(MultiShotProtocol):
        name = "odd_cameras"

        def excludes(self, queries, columns):
            return self.labels.gallery_camids[columns] % 2 == 0

    case = make_case(11, num_query=6, num_gallery=40)
    case["query_camids"] = np.full(6, 0)
    case["gallery_camids"] = case["gallery_camids"] % 2
    own = evaluate_ranking(**case, protocol=OddCameras, metric="euclidean")
    assert own.mAP == evaluate_ranking(**case, protocol="market1501", metric="euclidean").mAP
    assert own.protocol == "odd_cameras"


def test_rerank_ranks_by_the_reranked_distances(make_case):
    rng = np.random.default_rng(3)
    q, g = rng.standard_normal((20, 6)).astype(np.float32), rng.standard_normal((90, 6)).astype(np.float32)
    qp, gp = rng.integers(0, 6, 20), rng.integers(0, 6, 90)
    got = evaluate_ranking(q, g, qp, gp, protocol="camera_free", rerank=KReciprocal(7, 3, 0.2))
    want = evaluate_distances(Given(rerank_k_reciprocal(q, g, 7, 3, 0.2)), PROTOCOLS["camera_free"](Labels(qp, gp)))
    assert np.array_equal(got.per_query_ap, want.per_query_ap)
    assert got.metric == "cosine re-ranked"


class Given(DistanceSource):
    """Distances of a user's own."""

    def __init__(self, matrix):
        self.matrix, self.device, self.metric = torch.as_tensor(matrix).float(), torch.device("cpu"), "given"
        self.num_queries, self.num_gallery = self.matrix.shape

    def fill(self, start, out):
        out.zero_()
        part = self.matrix[start : start + len(out)]
        out[: len(part), : self.num_gallery] = part

    def limits(self):
        return 0.0, 1.0


@pytest.mark.parametrize("place", [(0, 1), (2, 0)])
def test_distances_that_are_nan_are_refused(place):
    matrix = np.random.default_rng(0).random((3, 4))
    labels = Labels(np.array([1, 2, 3]), np.array([1, 2, 3, 1]))
    evaluate_distances(Given(matrix), PROTOCOLS["camera_free"](labels))
    matrix[place] = np.nan  # between a match and a non-match
    for wrong in (matrix, np.where(np.arange(3)[:, None] + 1 == labels.gallery_pids, np.nan, 0.5)):
        with pytest.raises(EvaluationInputError, match="queries 0 to 2 hold NaN"):
            evaluate_distances(Given(wrong), PROTOCOLS["camera_free"](labels))


@pytest.mark.parametrize("shape", [(3, 5), (4, 4), (2, 4), (3, 3)])
def test_labels_of_another_number_than_the_distances_are_refused(shape):
    labels = Labels(np.array([1, 2, 3]), np.array([1, 2, 3, 1]))
    with pytest.raises(EvaluationInputError, match="3 queries and 4 gallery images"):
        evaluate_distances(Given(np.ones(shape)), PROTOCOLS["camera_free"](labels))


def test_a_roc_without_non_matches_is_refused():
    with pytest.raises(EvaluationInputError, match="no pair of two identities"):
        evaluate_ranking(np.ones((2, 3)), np.ones((4, 3)), [1, 1], [1] * 4, protocol="camera_free", roc=True)


def test_a_roc_of_equal_distances_accepts_nothing():
    roc = evaluate_ranking(np.ones((2, 3)), np.ones((4, 3)), [1, 2], [1, 1, 2, 2], protocol="camera_free", roc=[0.1])
    assert roc.roc.tpr_at == {0.1: 0.0}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_agrees_with_cpu(make_case):
    for protocol in PROTOCOLS:
        for metric in ("cosine", "euclidean"):
            case = make_case(11, metric, num_query=6, num_gallery=40)
            cpu = evaluate_ranking(**case, protocol=protocol, metric=metric)
            gpu = evaluate_ranking(**case, protocol=protocol, metric=metric, device="cuda")
            assert gpu.mAP == pytest.approx(cpu.mAP, abs=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="needs torch.distributed")
def test_two_gloo_processes_equal_one_to_the_last_bit(run_processes, tmp_path):
    rng = np.random.default_rng(0)
    case = {
        "query_features": rng.random((700, 24), dtype=np.float32),
        "gallery_features": rng.random((900, 24), dtype=np.float32),
        "query_pids": rng.integers(0, 60, 700),
        "gallery_pids": rng.integers(-1, 50, 900),
        "query_camids": rng.integers(0, 3, 700),
        "gallery_camids": rng.integers(0, 3, 900),
    }
    np.savez(tmp_path / "case.npz", **case)
    for run in run_processes(2, "-c", WORKER, tmp_path, json.dumps(OPTIONS)):
        assert run.returncode == 0, run.stderr
    alone = [evaluate_ranking(**case, **options) for options in OPTIONS]
    for rank in (0, 1):
        for (mean_ap, inp, cmc, average, roc), want in zip(json.loads((tmp_path / f"{rank}.json").read_text()), alone):
            assert mean_ap == want.mAP and inp == want.mINP and cmc == want.cmc.tolist()
            assert np.array_equal(average, want.per_query_ap, equal_nan=True)
            if want.roc:
                assert roc == [list(pair) for pair in sorted(want.roc.tpr_at.items())] + want.roc.fpr.tolist()


@pytest.mark.parametrize("threads", [1, 2])
def test_ranks_of_the_nearer_candidates_alone_are_those_of_all(threads, monkeypatch):
    """Ties at a match and at the farthest one, queries without a match or with matches before all others, infinity."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    candidates = torch.randint(0, 400, (40, 3000)).float() / 7
    candidates[torch.rand(candidates.shape) < 0.1] = torch.inf
    candidates[5] = torch.inf
    matches, counts = torch.full((40, 6), torch.inf), np.arange(40) % 7
    for row, count in enumerate(counts):
        matches[row, :count] = (torch.randint(0, 100 + 8 * row, (count,)).float() / 7).sort().values
    expected = ranks_of_matches(sort_rows(candidates.clone()), matches).numpy()
    real = np.arange(6) < counts[:, None]
    assert (count_ranks(candidates, matches).numpy()[real] == expected[real]).all()
    found = rank_matches(candidates, matches, counts).numpy()
    assert (found[real] == expected[real]).all() and (found >= 1).all() and real.sum() > 100


def test_a_judge_whose_matches_are_out_of_order_is_refused():
    class Backwards(PROTOCOLS["camera_free"]):
        def judge(self, rows, trial):
            judged = super().judge(rows, trial)
            return replace(judged, match_rows=judged.match_rows[::-1], match_columns=judged.match_columns[::-1])

    labels = Labels(np.array([0, 1]), np.array([0, 1, 1]))
    with pytest.raises(EvaluationInputError, match="judge returned match_rows that do not ascend"):
        evaluate_distances(Given(np.ones((2, 3))), Backwards(labels))


@pytest.mark.parametrize(
    "device, message, count",
    [("gpu", "names no device; there are cpu, cuda", 1), ("cuda", "finds 0 CUDA", 0), ("cuda:1", "finds 1 CUDA", 1)],
)
def test_a_device_that_is_not_there_is_named(monkeypatch, device, message, count):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    for function in (evaluate_ranking, rerank_k_reciprocal):
        ids = ([0, 1], [0, 1], [0, 0], [1, 1]) if function is evaluate_ranking else ()
        with pytest.raises(EvaluationInputError, match=f"device='{device}'.*{message}"):
            function(np.eye(2), np.eye(2), *ids, device=device)
