from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from reidzoo.errors import ConfigError
from reidzoo.losses import LossSet
from reidzoo.memories import HybridMemory
from reidzoo.registry import MEMORY

S, N, D = 5, 12, 8
CLUSTERS = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 5])


def filled(seed=0, dim=D, **arguments):
    generator = torch.Generator().manual_seed(seed)
    memory = MEMORY.build({"type": "HybridMemory", **arguments}, dim=dim, num_source=S, num_target=N)
    memory.initialise(torch.randn(S, dim, generator=generator), torch.randn(N, dim, generator=generator))
    memory.relabel(CLUSTERS)
    return memory


def batch(seed, size=16, dim=D):
    generator = torch.Generator().manual_seed(seed)
    feat = F.normalize(torch.randn(size, dim, generator=generator))
    return feat, torch.randint(0, S + N, (size,), generator=generator)


def plain_scores(memory, feat):
    """Mean inner product with the rows of each class, over the temperature, in float64."""
    rows = memory.features.double()
    return (
        torch.stack(
            [
                torch.stack([f.double() @ rows[j] for j in range(len(rows)) if memory.labels[j] == k]).mean()
                for f in feat
                for k in range(memory.num_classes)
            ]
        ).reshape(len(feat), -1)
        / memory.temperature
    )


def test_scores_equal_the_definition():
    memory = filled()
    feat, index = batch(1)
    scores = memory(feat, index)
    assert scores.shape == (16, S + 6)
    assert memory.num_classes == S + 6
    assert torch.allclose(scores.double(), plain_scores(memory, feat), atol=1e-4)


def test_rows_given_anew_are_of_unit_length_and_reach_the_scores():
    memory = filled(seed=7)  # other rows than those that follow
    memory.initialise(3 * torch.randn(S, D), 5 * torch.randn(N, D))
    torch.testing.assert_close(memory.features.norm(dim=1), torch.ones(S + N))
    feat, index = batch(1)
    torch.testing.assert_close(memory(feat, index).double(), plain_scores(memory, feat), rtol=1e-4, atol=1e-4)


def test_loss_and_gradient_equal_the_definition_after_many_updates():
    memory = filled()
    for step in range(200):
        memory.update(*batch(step))
    feat, index = batch(1000)
    nodes = {"spcl": {"type": "CrossEntropyLoss", "inputs": {"logits": "scores", "pid": "label"}}}
    feat.requires_grad_()
    loss = LossSet(nodes)({"scores": memory(feat, index), "label": memory.targets(index)})["spcl"]
    (gradient,) = torch.autograd.grad(loss, feat)
    reference = feat.detach().double().requires_grad_()
    expected = F.cross_entropy(plain_scores(memory, reference), memory.labels[index])
    (expected_gradient,) = torch.autograd.grad(expected, reference)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert (gradient - expected_gradient).norm() / expected_gradient.norm() < 1e-4


def test_gradcheck():
    memory = filled().double()
    feat, index = batch(1, size=3)
    feat = feat.double().requires_grad_()
    labels = memory.targets(index)
    assert torch.autograd.gradcheck(lambda f: F.cross_entropy(memory(f), labels), feat)


def test_update_is_sequential_for_repeated_rows():
    memory = filled(momentum=0.3)
    feat, _ = batch(2, size=8)
    index = torch.tensor([2, 9, 2, 2, 16, 9, 0, 2])
    expected = memory.features.double()
    for f, i in zip(feat.double(), index.tolist()):
        expected[i] = F.normalize(0.3 * expected[i] + 0.7 * f, dim=0)
    memory.update(feat, index)
    assert torch.allclose(memory.features.double(), expected, atol=1e-6)


def test_sums_follow_the_updates():
    memory = filled()
    for step in range(1000):
        memory.update(*batch(step))
    kept = memory.target_sums.clone()
    memory.relabel(CLUSTERS)
    assert torch.allclose(kept, memory.target_sums, atol=1e-5)


def test_relabel_changes_the_classes():
    memory = filled()
    feat, index = batch(3)
    memory(feat, index)
    memory.relabel(torch.arange(N))
    assert memory.num_classes == S + N
    assert torch.allclose(memory(feat), feat @ memory.features.t() / 0.05, atol=1e-4)
    assert torch.equal(memory.targets(index), index)


@pytest.mark.parametrize("num_source", [0, S])
def test_images_of_no_class_have_no_part_in_any(num_source):
    memory = HybridMemory(D, num_source, N)
    memory.initialise(torch.randn(num_source, D), torch.randn(N, D))
    memory.relabel(torch.where(CLUSTERS > 3, -1, CLUSTERS))
    assert memory.num_classes == num_source + 4 and memory.targets(torch.tensor([num_source + N - 1])).item() == -1
    for step in range(20):
        feat, index = batch(step)
        memory.update(feat, index % (num_source + N))  # rows of no class move as well, and no class with them
    feat, _ = batch(100)
    torch.testing.assert_close(memory(feat).double(), plain_scores(memory, feat), atol=1e-4, rtol=0)
    resumed = HybridMemory(D, num_source, N)
    resumed.load_state_dict(copy.deepcopy(memory.state_dict()))
    assert torch.equal(memory(feat), resumed(feat))


@pytest.mark.parametrize("relabelled", [False, True])
def test_resumes_bit_by_bit_in_the_middle_of_an_epoch(relabelled):
    memory = filled()
    for step in range(20):
        memory.update(*batch(step))
    saved = copy.deepcopy(memory.state_dict())
    resumed = HybridMemory(D, S, N)
    if relabelled:
        resumed.relabel(torch.arange(N))
    resumed.load_state_dict(saved)
    for step in range(20, 40):
        feat, index = batch(step)
        assert torch.equal(memory(feat, index), resumed(feat, index))
        memory.update(feat, index)
        resumed.update(feat, index)
    for key, value in memory.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_load_is_strict():
    state = filled().state_dict()
    with pytest.raises(RuntimeError, match="features"):
        HybridMemory(D, S, N + 1).load_state_dict(state)
    state.pop("target_sums")
    with pytest.raises(RuntimeError, match="target_sums"):
        HybridMemory(D, S, N).load_state_dict(state)


def test_source_rows_are_classes_of_their_own():
    memory = filled()
    feat, _ = batch(4)
    expected = feat @ memory.features[:S].t() / 0.05
    torch.testing.assert_close(memory(feat)[:, :S], expected)


def test_low_temperature_is_stable():
    memory = filled(temperature=0.001)
    feat, index = batch(5)
    feat.requires_grad_()
    loss = F.cross_entropy(memory(feat, index), memory.targets(index))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(feat.grad).all()


def test_half_precision_features_and_autocast():
    memory = filled()
    feat, index = batch(6)
    with torch.autocast("cpu", torch.bfloat16):
        scores = memory(feat, index)
    assert torch.equal(scores, memory(feat, index))
    memory.update(feat.bfloat16(), index)
    assert memory.features.dtype == torch.float32


def test_an_update_before_backward_is_reported():
    memory = filled()
    feat, index = batch(7)
    feat.requires_grad_()
    loss = F.cross_entropy(memory(feat, index), memory.targets(index))
    memory.update(feat, index)
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()


def test_without_source():
    memory = HybridMemory(D, 0, N)
    memory.initialise(torch.zeros(0, D), torch.randn(N, D))
    memory.relabel(CLUSTERS)
    assert memory(torch.randn(2, D)).shape == (2, 6)


def test_needs_labels_first():
    memory = HybridMemory(D, S, N)
    memory.initialise(torch.randn(S, D), torch.randn(N, D))
    memory.update(torch.randn(1, D), torch.tensor([S]))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="none of the 12 target images has a class; call relabel"):
            memory(torch.randn(2, D))
        memory.relabel(torch.full((N,), -1))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (torch.zeros(N - 1, dtype=torch.int64), "shape"),
        (torch.zeros(N), "int64"),
        (torch.tensor([-2] + [0] * (N - 1)), "-1 or more"),
        (torch.tensor([2] + [0] * (N - 1)), "every number below 3"),
    ],
)
def test_wrong_labels(labels, said):
    with pytest.raises(ValueError, match=said):
        HybridMemory(D, S, N).relabel(labels)


def test_wrong_rows_and_shapes():
    memory = filled()
    for row in (-1, S + N):
        with pytest.raises(IndexError, match="memory rows"):
            memory.update(torch.randn(1, D), torch.tensor([row]))
    with pytest.raises(ValueError, match="source_centroids"):
        memory.initialise(torch.zeros(S + 1, D), torch.zeros(N, D))
    with pytest.raises(ValueError, match="target_features"):
        memory.initialise(torch.zeros(S, D), torch.zeros(N, D - 1))


@pytest.mark.parametrize("arguments", [{"temperature": 0.0}, {"momentum": 1.5}])
def test_wrong_arguments(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        HybridMemory(D, S, N, **arguments)
