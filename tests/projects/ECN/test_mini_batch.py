"""Table 3's mini-batch variant: its scores, its batches, and a step."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reidzoo.clustering import nearest_by_cosine
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.losses import InvarianceLoss
from reidzoo.registry import MEMORY, SAMPLER

K = 3


def exemplars(ecn, **arguments):
    return MEMORY.build({"type": "MiniBatchExemplars", "neighbours": K, **arguments}, dim=4, size=30)


def plain(feat, index, anchors, k):
    """Eq. 3, 6 and 8 with the batch's images as classes, each once, in float64."""
    keys: dict[int, torch.Tensor] = {}
    for row in range(anchors, len(feat)):
        keys.setdefault(index[row].item(), feat[row])
    total = 0.0
    for f, i in zip(feat[:anchors], index[:anchors].tolist()):
        similarity = {j: key @ f / 0.05 for j, key in keys.items()}
        normaliser = torch.logsumexp(torch.stack(list(similarity.values())), 0)
        near = sorted(similarity, key=lambda j: -similarity[j].item())[:k]
        for j, s in similarity.items():
            weight = 1.0 if j == i else 1 / k if j in near else 0.0
            total = total - weight * (s - normaliser)
    return total / anchors


@pytest.mark.parametrize("epoch, anchors, k", [(0, 10, 0), (5, 5, K)])
def test_loss_and_gradient_equal_the_definition(ecn, epoch, anchors, k):
    torch.manual_seed(0)
    feat = F.normalize(torch.randn(20, 4))
    index = torch.randint(0, 30, (20,))
    index[:10] = torch.randperm(30)[:10]
    index[anchors : 2 * anchors] = index[:anchors]
    exact = feat.double().requires_grad_()
    feat.requires_grad_()
    memory = exemplars(ecn)
    assert memory.anchors(20, epoch) == anchors
    scores = memory(feat, index, epoch)
    assert scores.shape == (anchors, 20 - anchors)
    loss = InvarianceLoss()(scores, *memory.targets(scores.detach(), index, epoch))
    expected = plain(exact, index, anchors, k)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    (ours,), (theirs,) = torch.autograd.grad(loss, feat), torch.autograd.grad(expected, exact)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-3, atol=1e-5)


def test_batches_hold_anchors_twice_and_their_neighbours(ecn):
    neighbours = np.stack([(np.arange(30) + 1) % 30, (np.arange(30) + 2) % 30], axis=1)
    target = SimpleNamespace(pids=np.full(30, -1), camids=np.zeros(30), domains=np.zeros(30))
    node = {"type": "NeighbourSampler", "neighbours": neighbours}
    sampler = SAMPLER.build(node, data=target, batch_size=14)
    batches = sampler.batches(seed=0, epoch=0, count=10)  # one pass: 30 images, 3 anchors a batch
    assert all(len(batch) == 14 for batch in batches)
    assert sorted(np.concatenate([batch[:3] for batch in batches]).tolist()) == list(range(30))
    for batch in batches:
        assert np.array_equal(batch[:3], batch[3:6])
        assert np.array_equal(batch[6:12].reshape(3, 2), neighbours[batch[:3]])
    without = SAMPLER.build({"type": "NeighbourSampler"}, data=target, batch_size=14).batches(0, 0)
    assert all(np.array_equal(batch[:7], batch[7:]) for batch in without)
    labelled = SimpleNamespace(pids=np.arange(30), camids=np.zeros(30), domains=np.zeros(30))
    source = SAMPLER.build(node, data=labelled, batch_size=14)
    assert sorted(np.concatenate(source.batches(0, 0)).tolist()) == sorted(set(np.concatenate(source.batches(0, 0))))
    with pytest.raises(DatasetError, match="a batch takes 31"):
        SAMPLER.build({"type": "NeighbourSampler"}, data=target, batch_size=31)
    with pytest.raises(ConfigError, match=r"batch of 3 has no room .* its 2 neighbours; set SOLVER.IMS_PER_BATCH to 4"):
        SAMPLER.build(node, data=target, batch_size=3)
    assert len(SAMPLER.build(node, data=labelled, batch_size=3).batches(0, 0)) == 10


def test_a_batch_too_small_for_later_neighbours_is_refused_before_the_training(build):
    trainer = build("mini_batch.yml", **{"SOLVER.IMS_PER_BATCH": 4})
    with pytest.raises(ConfigError, match="a batch of 4 has no room"):
        trainer.hooks["neighbours"].before_train(trainer)


def test_a_step_before_and_with_neighbours(build):
    trainer = build("mini_batch.yml")
    hook, exemplars = trainer.hooks["neighbours"], trainer.parts["exemplar"]
    hook.before_train(trainer)
    for epoch, anchors in ((0, 12), (1, 3)):
        trainer.epoch = epoch
        hook.before_train_epoch(trainer)
        batch = next(trainer.loader.epoch(epoch))
        index = batch["target"]["index"]
        assert torch.equal(index[:anchors], index[anchors : 2 * anchors])
        if epoch:
            near, _ = nearest_by_cosine(extract_train_features(trainer, "target"), 6)
            assert torch.equal(exemplars.neighbours_of, near[:, 1:])
            assert torch.equal(index[6:21].reshape(3, 5), near[index[:3], 1:])
        scalars = trainer.train_step(batch)
        assert set(scalars) == {"id", "invariance"} and all(torch.isfinite(v) for v in scalars.values())


def test_neighbours_are_in_the_checkpoint(build):
    first, second = build("mini_batch.yml"), build("mini_batch.yml")
    first.epoch = 2
    first.hooks["neighbours"].before_train_epoch(first)
    second.load_state_dict(first.state_dict())
    second.hooks["neighbours"].before_train(second)  # a run resumed in the middle of an epoch
    for one, two in zip(first.loader.epoch(2), second.loader.epoch(2), strict=True):
        assert torch.equal(one["target"]["index"], two["target"]["index"])


@pytest.mark.parametrize("arguments", [{"temperature": 0}, {"neighbours": -1}, {"exemplar": False, "neighbours": 0}])
def test_wrong_arguments(ecn, arguments):
    with pytest.raises(ConfigError, match="MiniBatchExemplars"):
        exemplars(ecn, **arguments)
