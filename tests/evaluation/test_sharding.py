"""Two gloo processes must find what one finds, to the last bit."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch.distributed

from reidzoo.evaluation import evaluate_ranking
from reidzoo.evaluation.sharding import my_slice

WORKER = """
import json, sys
import numpy as np, torch, torch.distributed as dist
from reidzoo.evaluation import evaluate_ranking
torch.set_num_threads(1)
folder, rank = sys.argv[1], int(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
case = dict(np.load(folder + "/case.npz"))
results = []
for options in json.loads(sys.argv[3]):
    result = evaluate_ranking(**case, **options, shard=True)
    results.append([result.mAP, result.mINP, result.cmc.tolist(), result.per_query_ap.tolist(),
                    sorted(result.roc.tpr_at.items()) + result.roc.fpr.tolist() if result.roc else None])
json.dump(results, open(f"{folder}/{rank}.json", "w"))
dist.destroy_process_group()
"""
OPTIONS = [{"roc": True}, {"metric": "euclidean"}, {"rerank": True}, {"protocol": "cuhk03", "repeats": 2},
           {"protocol": "vehicleid", "repeats": 2}]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="needs torch.distributed")
def test_two_processes_equal_one(tmp_path):
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
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, str(tmp_path / "worker.py"), str(tmp_path)]
    workers = [subprocess.Popen([*command, str(rank), json.dumps(OPTIONS)]) for rank in (0, 1)]
    alone = [evaluate_ranking(**case, **options) for options in OPTIONS]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    for rank in (0, 1):
        for (mean_ap, inp, cmc, average, roc), want in zip(json.loads((tmp_path / f"{rank}.json").read_text()), alone):
            assert mean_ap == want.mAP and inp == want.mINP and cmc == want.cmc.tolist()
            assert np.array_equal(average, want.per_query_ap, equal_nan=True)
            if want.roc:
                assert roc == [list(pair) for pair in sorted(want.roc.tpr_at.items())] + want.roc.fpr.tolist()


@pytest.mark.parametrize("count", [1, 512, 513, 3000])
@pytest.mark.parametrize("world", [1, 2, 5])
def test_slices_cover_all_queries_in_order(monkeypatch, count, world):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world)
    seen = []
    for rank in range(world):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        start, stop = my_slice(count, 512, shard=True)
        assert start % 512 == 0 or start == count
        seen += range(start, stop)
    assert seen == list(range(count))
