"""Two processes give the losses, the weights and the evaluation that one gives, up to float error."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from reidzoo import distributed
from reidzoo.distributed import my_slice
from reidzoo.testing import in_two_processes
from reidzoo.testing.processes import can_fork
from reidzoo.version import ROOT

from .conftest import ADVERSARIAL

SUPERVISED = {"HOOKS": {"schedule": {"type": "ConstantSchedule"}}}
MIXED = {
    "HOOKS": {**SUPERVISED["HOOKS"], "mix": {"type": "MixStyleHook", "layers": ["backbone.layer2"]}},
    "INPUT": {
        "SIZE": [32, 16],
        "TRANSFORMS": {
            "_REPLACE_": True,
            "colours": {"type": "ColorJitter", "brightness": 0.3},
            "patch": {"type": "RandomPatch"},
            "normalize": {"type": "Normalize"},
        },
    },
}
ADAPTATION = {
    "DATASETS": {
        "TRAIN": {"source": "RandPerson", "target": {"type": "Unlabeled", "dataset": {"type": "Market1501"}}},
    },
    "TRAINER": {"type": "DomainAdaptationTrainer"},
    "MEMORIES": {"memory": {"type": "HybridMemory"}},
    "CLUSTERER": {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "eps": 0.7, "min_samples": 2},
    "LOSSES": {
        "source": {"type": "CrossEntropyLoss", "inputs": {"logits": "source_scores", "pid": "source_label"}},
        "target": {"type": "CrossEntropyLoss", "inputs": {"logits": "target_scores", "pid": "target_label"}},
    },
    "HOOKS": {
        "memory": {"type": "MemoryHook"},
        "cluster": {"type": "PseudoLabelHook", "features": "memory", "outliers": "singletons", "period": 2},
    },
}

REFINED = {
    **ADVERSARIAL,
    "DATASETS": {"TRAIN": {"train": ["RandPerson", {"type": "Unlabeled", "dataset": {"type": "Market1501"}}]}},
    "CLUSTERER": {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "eps": 0.7, "min_samples": 2},
    "HOOKS": {
        "turns": {"type": "IterationPhaseHook", "steps": {"discriminator": 1, "model": 1}},
        "cluster": {"type": "PseudoLabelHook", "target": "train", "domain": 1, "classifier": "means", "period": 2},
    },
}


@pytest.mark.parametrize(
    "changes",
    [
        {**MIXED, "MODEL": {"BN_GROUP": 0}},
        {**SUPERVISED, "MODEL": {"BN_GROUP": 8}},
        {**ADAPTATION, "MODEL": {"BN_DOMAINS": 2}},
        REFINED,
    ],
    ids=["mixed-images-whole-batch-bn", "bn-of-8", "adaptation", "adversarial"],
)
def test_two_processes_equal_one(write_config, train_in_one_and_two, changes):
    runs = train_in_one_and_two(write_config(LOG={"PERIOD": 1}, **changes))
    rows = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in runs]
    assert len(rows[0]) == len(rows[1]) == 9 + ("CLUSTERER" in changes)
    for one, two in zip(*rows):
        if "pseudo_labels" in one:
            assert one["pseudo_labels"]["clusters"] == two["pseudo_labels"]["clusters"]
        elif "evaluation" in one:
            (one,), (two,) = one["evaluation"].values(), two["evaluation"].values()
            assert one == pytest.approx(two, abs=0.05)  # one of 24 queries may find another image first
        else:
            assert one == pytest.approx(two, rel=1e-3)
    states = [torch.load(run / "model_final.pth", weights_only=True) for run in runs]
    for key, value in states[0]["parts"]["model"].items():
        # Adam moves a weight by up to its rate even where the gradient is but rounding.
        torch.testing.assert_close(states[1]["parts"]["model"][key], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("count", [1, 512, 513, 3000])
@pytest.mark.parametrize("world", [1, 2, 5])
def test_slices_cover_all_queries_in_order(monkeypatch, count, world):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world)
    seen = []
    for rank in range(world):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        start, stop = my_slice(count, 512)
        assert start % 512 == 0 or start == count
        seen += range(start, stop)
    assert seen == list(range(count))


class Alone:
    """Stands in for a second process with the same gradients: a sum over both is twice one's own."""

    def __init__(self):
        self.sizes = []

    def all_reduce(self, flat, op=torch.distributed.ReduceOp.SUM, async_op=False):
        if op == torch.distributed.ReduceOp.MAX:
            return None
        self.sizes.append(flat.numel())
        flat *= 2
        return SimpleNamespace(wait=lambda: None)


@pytest.mark.parametrize("bucket", [1, 40, 10**6])
def test_gradients_are_averaged_in_buckets_from_the_last_layer_on(monkeypatch, bucket):
    other = Alone()
    monkeypatch.setattr(distributed, "BUCKET", bucket)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed.dist, "all_reduce", other.all_reduce)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 5), torch.nn.Linear(5, 2))
    net[1].requires_grad_(False)
    spare = torch.nn.Parameter(torch.zeros(7))  # no part of the loss
    parameters = [p for p in [*net.parameters(), spare] if p.requires_grad]
    images = torch.randn(6, 3)
    expected = torch.autograd.grad(net(images).square().sum(), parameters, allow_unused=True)
    net[0].weight.grad = torch.ones_like(net[0].weight)  # left behind, and not to be added
    distributed.averaged_backward(net(images).square().sum(), parameters)
    for parameter, grad in zip(parameters, expected, strict=True):
        assert parameter.grad is None if grad is None else torch.equal(parameter.grad, grad)
    assert net[1].weight.grad is None and spare.grad is None
    sizes = [2, 10, 4, 12] if bucket == 1 else [28]
    assert other.sizes == sizes


def average(case):
    """Take a backward pass of a loss that is another one in each process; return the gradients, 'none' for None."""
    torch.manual_seed(0)
    net = torch.nn.ModuleList([torch.nn.Linear(3, 4), torch.nn.Linear(4, 2), torch.nn.Linear(4, 5)])
    parameters = list(net.parameters())
    images, first = torch.ones(2, 3), distributed.rank() == 0
    hidden = net[0](images)
    terms = {
        "a term of one": net[1](hidden).sum() + (net[2](hidden).sum() if first else 0),
        "one of two": net[1](hidden).sum() if first else net[2](hidden).sum(),
        "no loss at all": hidden.sum() if first else torch.zeros(()),
    }
    own = [torch.zeros_like(p) for p in parameters]
    if terms[case].requires_grad:
        found = torch.autograd.grad(terms[case], parameters, allow_unused=True, retain_graph=True)
        own = [torch.zeros_like(p) if grad is None else grad for p, grad in zip(parameters, found, strict=True)]
    distributed.averaged_backward(terms[case], parameters)
    return own, ["none" if parameter.grad is None else parameter.grad for parameter in parameters]


@pytest.mark.slow
@pytest.mark.skipif(not can_fork(), reason="needs processes that are copies of this one")
@pytest.mark.parametrize("bucket", [4, 10**6])
@pytest.mark.parametrize("case", ["a term of one", "one of two", "no loss at all"])
def test_a_gradient_that_one_process_lacks_counts_as_zero(monkeypatch, case, bucket):
    """It ended the process in a collective of unequal sizes, or averaged one parameter's gradient with another's."""
    monkeypatch.setattr(distributed, "BUCKET", bucket)
    (own, ours), (others, theirs) = in_two_processes(average, case)
    for a, b, one, other in zip(own, others, ours, theirs, strict=True):
        if isinstance(one, str):
            assert one == other and not a.any() and not b.any()
        else:
            torch.testing.assert_close(one, (a + b) / 2)
            assert torch.equal(one, other)


WORKER = """
import sys
import torch, torch.distributed as dist
from reidzoo import distributed
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
distributed.BUCKET = 20
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
images = torch.randn(8, 3)
share = images.chunk(world)[rank]
loss = distributed.gather(net(share)).square().mean()
distributed.averaged_backward(loss, list(net.parameters())) if world > 1 else loss.backward()
if rank == 0:
    torch.save([p.grad for p in net.parameters()], f"{sys.argv[1]}/{world}.pt")
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_averaged_gradients_of_processes_are_those_of_one(run_processes, tmp_path):
    for world in (1, 2, 4):
        for run in run_processes(world, "-c", WORKER, tmp_path):
            assert run.returncode == 0, run.stderr
    one, two, four = (torch.load(tmp_path / f"{world}.pt", weights_only=True) for world in (1, 2, 4))
    for a, b, c in zip(one, two, four, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(a, c, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_two_launchers_as_on_two_machines_equal_one_process(write_config, train_in_one_and_two, tmp_path):
    """One torchrun a machine, as the README says, both on this one."""
    config = write_config(LOG={"PERIOD": 1}, **SUPERVISED, MODEL={"BN_GROUP": 8})
    (one,) = train_in_one_and_two(config, counts=[1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    launch += ["--master-addr=127.0.0.1", f"--master-port={port}"]
    train = ["-m", "reidzoo", "train", "--config-file", config, "--output-dir", tmp_path / "nodes"]
    runs = [
        subprocess.Popen([*launch, f"--node-rank={node}", f"--log-dir={tmp_path / f'log{node}'}", *train], cwd=ROOT)
        for node in range(2)
    ]
    assert [run.wait(timeout=600) for run in runs] == [0, 0]
    rows = [(run / "metrics.jsonl").read_text().splitlines() for run in (one, tmp_path / "nodes")]
    assert len(rows[0]) == len(rows[1]) == 9
    for first, second in zip(*(map(json.loads, lines) for lines in rows)):
        if "evaluation" not in first:
            assert first == pytest.approx(second, rel=1e-4)
