from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import CircleLoss, ContrastiveLoss, CrossBatchMemoryLoss
from reidzoo.registry import LOSS

CONTRASTIVE = {"type": "ContrastiveLoss", "margin": 3.0}


def batches(count, size=4, dim=3):
    return [(torch.randn(size, dim), torch.randint(0, 3, (size,))) for _ in range(count)]


@pytest.mark.parametrize(("size", "begin"), [(8, 0), (10, 0), (3, 0), (100, 2)])
def test_the_batch_is_compared_with_the_last_features(size, begin):
    """Against a list to which each batch is appended."""
    loss, own = CrossBatchMemoryLoss(CONTRASTIVE, 3, size, 0.5, begin), ContrastiveLoss(3.0)
    kept: list = []
    for number, (feat, pid) in enumerate(batches(6)):
        wanted = own(feat, pid)
        if kept and number >= begin:
            memory, labels = (torch.stack(column) for column in zip(*kept[-size:]))
            wanted = wanted + 0.5 * own(feat, pid, memory, labels)
        torch.testing.assert_close(loss(feat, pid), wanted)
        kept += zip(feat, pid)


def test_gradient_reaches_the_batch_alone():
    loss = CrossBatchMemoryLoss({"type": "CircleLoss", "scale": 4.0}, 3, 8).double()
    (first, pid), (second, other) = [(feat.double().requires_grad_(), pid) for feat, pid in batches(2)]
    loss(first, pid)
    loss(second, other).backward()
    assert first.grad is None and second.grad.any()
    both = CircleLoss(scale=4.0)
    given = second.detach().clone().requires_grad_()
    (both(given, other) + both(given, other, first.detach(), pid)).backward()
    torch.testing.assert_close(second.grad, given.grad)


def test_gradcheck_with_a_memory():
    loss = CrossBatchMemoryLoss({"type": "WeightedRegularizedTripletLoss"}, 3, 8).double()
    feat, pid = torch.randn(4, 3).double(), torch.tensor([0, 0, 1, 2])
    loss(feat + 1, pid)
    loss.eval()
    assert torch.autograd.gradcheck(lambda values: loss(values, pid), feat.requires_grad_())


def test_it_continues_from_its_state_and_stays_as_it_is_in_evaluation():
    loss, other = (CrossBatchMemoryLoss(CONTRASTIVE, 3, 6) for _ in range(2))
    for feat, pid in batches(4):
        loss(feat, pid)
    other.load_state_dict(loss.state_dict())
    for feat, pid in batches(2):
        assert torch.equal(loss(feat, pid), other(feat, pid))
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    loss.eval()(*batches(1)[0])
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())


def test_it_is_emptied_when_the_classes_change():
    loss, (feat, pid) = CrossBatchMemoryLoss(CONTRASTIVE, 3, 6), batches(1)[0]
    first = loss(feat, pid)
    assert loss.eval()(feat, pid) != first
    loss.reset_classes(5)
    assert torch.equal(loss(feat, pid), first)


@pytest.mark.parametrize("begin", [2, 5])
def test_the_batches_before_its_state_count(begin):
    loss, other = (CrossBatchMemoryLoss(CONTRASTIVE, 3, 6, begin=begin) for _ in range(2))
    for feat, pid in batches(3):
        loss(feat, pid)
    other.load_state_dict(loss.state_dict())
    for feat, pid in batches(4):
        assert torch.equal(loss(feat, pid), other(feat, pid))


class Products(torch.nn.Module):
    """Keeps the other features themselves for its backward pass, and the number of classes."""

    classes = 0

    def forward(self, feat, pid, other_feat=None, other_pid=None):
        return (feat @ (feat if other_feat is None else other_feat).t()).mean()

    def reset_classes(self, num_classes):
        self.classes = num_classes


@pytest.fixture
def products():
    LOSS._module_dict["Products"] = Products
    yield CrossBatchMemoryLoss({"type": "Products"}, 3, 4)
    del LOSS._module_dict["Products"]


def test_the_queue_may_move_before_the_backward_pass(products):
    (first, pid), (second, other) = batches(2)
    products(first, pid)
    products(second.requires_grad_(), other).backward()
    wanted = 2 * second.detach().sum(0) / 16 + first.sum(0) / 16
    torch.testing.assert_close(second.grad, wanted.expand(4, 3))


def test_its_loss_is_told_of_new_classes(products):
    products.reset_classes(7)
    assert products.loss.classes == 7


def test_a_loss_of_pytorch_metric_learning():
    metric_learning = pytest.importorskip("pytorch_metric_learning.losses")
    node = {"type": "pytorch_metric_learning.losses.ContrastiveLoss"}
    loss, own = CrossBatchMemoryLoss(node, 3, 8), metric_learning.ContrastiveLoss()
    (first, pid), (second, other) = batches(2)
    loss(first, pid)
    wanted = own(second, other) + own(second, other, ref_emb=first, ref_labels=pid)
    torch.testing.assert_close(loss(second, other), wanted)


def test_mistakes():
    with pytest.raises(ConfigError, match="cannot compare a batch with other features"):
        CrossBatchMemoryLoss({"type": "CrossEntropyLoss"}, 3)
    with pytest.raises(ConfigError, match="dim is 3"):
        CrossBatchMemoryLoss(CONTRASTIVE, 3)(torch.zeros(2, 4), torch.tensor([0, 1]))
