"""Losses of the whole batch in two processes: values, what they move, and what they keep, are those of one process."""

from __future__ import annotations

import pytest
import torch

from reidzoo import distributed
from reidzoo.engine.optim import build_optimizers
from reidzoo.errors import UserError
from reidzoo.heads import CosineClassifier
from reidzoo.losses import LossSet
from reidzoo.testing import in_two_processes
from reidzoo.testing.processes import can_fork

pytestmark = pytest.mark.slow

NODES = {
    "arc": {"type": "ArcFaceLoss"},
    "cos": {"type": "CosFaceLoss"},
    "circle_softmax": {"type": "CircleSoftmaxLoss"},
    "circle": {"type": "CircleLoss"},
    "center": {"type": "CenterLoss"},
    "learnt": {"type": "LearntCenterLoss"},
    "agw": {"type": "WeightedRegularizedTripletLoss"},
    "instance": {"type": "InstanceLoss"},
    "soft_id": {"type": "SoftCrossEntropyLoss"},
    "soft_triplet": {"type": "SoftTripletLoss"},
    "xbm": {"type": "CrossBatchMemoryLoss", "loss": {"type": "TripletLoss"}, "size": 20},
}
THEIRS = {
    "arc": {"type": "pytorch_metric_learning.losses.ArcFaceLoss"},
    "xbm": {"type": "CrossBatchMemoryLoss", "loss": {"type": "pytorch_metric_learning.losses.ContrastiveLoss"}},
}


def train(nodes, batches):
    """Take a step with each batch, of which each process has its share; return the losses, and weights and buffers."""
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"embed": torch.nn.Linear(3, 3), "classify": CosineClassifier(3, 4)})
    losses = LossSet(nodes, distributed.gather, given={"num_classes": 4, "dim": 3})
    parts = torch.nn.ModuleDict({"model": model, "losses": losses})
    node = {"type": "SGD", "lr": 1e-3, "params": ["model", "losses"]}
    (optim,) = build_optimizers({"model": node}, parts, grad_clip=0.0).values()
    found = {}
    for step, (images, pid) in enumerate(batches):
        images, pid = (whole.chunk(distributed.world_size())[distributed.rank()] for whole in (images, pid))
        feat = model["embed"](images)
        teacher = {"teacher_feat": images, "teacher_logits": images @ torch.ones(3, 4).tril()}
        values = parts["losses"]({"feat": feat, "logits": model["classify"](feat), "pid": pid, **teacher})
        optim.minimize(torch.stack(list(values.values())).sum())
        found |= {f"{name}{step}": value.detach() for name, value in values.items()}
    return {**found, **parts.state_dict()}


def unequal(case):
    """Ask for a loss of tensors that are not alike in both processes; return what is said."""
    first = distributed.rank() == 0
    rows = 3 if first or case == "a missing one" else 0
    tensors = {"feat": torch.ones(rows, 2), "pid": torch.zeros(rows, dtype=torch.int64)}
    if case == "a missing one" and first:
        tensors |= {"other_feat": torch.ones(3, 2), "other_pid": torch.zeros(3, dtype=torch.int64)}
    try:
        return str(LossSet({"triplet": {"type": "TripletLoss"}}, distributed.gather)(tensors))
    except UserError as error:
        return str(error)


@pytest.mark.skipif(not can_fork(), reason="needs processes that are copies of this one")
@pytest.mark.parametrize(
    ("case", "said"), [("an empty mask", "(0, 2) in process 1"), ("a missing one", "none in process 1")]
)
def test_tensors_that_are_not_alike_are_named_in_both_processes(case, said):
    """One process went on with no rows, and the other waited for an hour."""
    for words in in_two_processes(unequal, case):
        assert ("'feat'" in words or "'other_feat'" in words) and "(3, 2) in process 0" in words and said in words


@pytest.mark.skipif(not can_fork(), reason="needs processes that are copies of this one")
@pytest.mark.parametrize("nodes", [NODES, THEIRS], ids=["ours", "pytorch-metric-learning's"])
def test_two_processes_equal_one(nodes):
    if nodes is THEIRS:
        pytest.importorskip("pytorch_metric_learning")
    batches = [(torch.randn(8, 3), torch.tensor([0, 1, 0, 1, 2, 3, 2, 3]).roll(step)) for step in range(3)]
    alone = train(nodes, batches)
    for each in in_two_processes(train, nodes, batches):
        for name, value in alone.items():
            torch.testing.assert_close(each[name], value, rtol=1e-4, atol=1e-5, msg=name)
