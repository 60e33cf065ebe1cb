"""Losses of the whole batch in two processes: values, what they move, and what they keep, are those of one process."""

from __future__ import annotations

import pytest
import torch

from reidzoo import distributed
from reidzoo.engine.optim import build_optimizers
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
