from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from reidzoo.evaluation import EvaluationInputError, linear_probe, probe_split


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def reference_weights(features, labels, l2):
    """Minimise the balanced objective, written out, with scipy."""
    x = (features - features.mean(0)) / features.std(0, ddof=1)
    classes = labels.max() + 1

    def objective(flat):
        weight, bias = flat[:-classes].reshape(x.shape[1], classes), flat[-classes:]
        scores = x @ weight + bias
        log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        per_class = [-log_p[labels == c, c].mean() for c in range(classes)]
        return np.mean(per_class) + l2 / 2 * (weight**2).sum()

    flat = minimize(objective, np.zeros((x.shape[1] + 1) * classes), method="BFGS", options={"gtol": 1e-7}).x
    return flat[:-classes].reshape(x.shape[1], classes), flat[-classes:]


@pytest.mark.parametrize("classes", [2, 3])
def test_it_finds_the_minimum_that_scipy_finds(rng, classes):
    from reidzoo.evaluation.linear_probe import _fit

    labels = np.repeat(np.arange(classes), [30, 12, 20][:classes])
    features = rng.normal(size=(len(labels), 4)) + labels[:, None] * 0.5
    x = (features - features.mean(0)) / features.std(0, ddof=1)
    weight, bias = _fit(torch.from_numpy(x), torch.from_numpy(labels), classes, 0.01)
    wanted, wanted_bias = reference_weights(features, labels, 0.01)
    np.testing.assert_allclose(weight.numpy(), wanted, atol=1e-4)
    difference = bias.numpy() - wanted_bias  # a constant on all biases changes nothing
    np.testing.assert_allclose(difference, difference[0], atol=1e-4)


def test_separable_features_are_told_and_noise_is_not(rng):
    labels = np.arange(600) % 3
    noise = torch.from_numpy(rng.normal(size=(600, 8))).float()
    signal = noise + 20 * torch.nn.functional.one_hot(torch.from_numpy(labels), 8)
    assert linear_probe(signal[:300], labels[:300], signal[300:], labels[300:]) == (1.0, 1 / 3)
    accuracy, _ = linear_probe(noise[:300], labels[:300], noise[300:], labels[300:])
    assert 0.2 < accuracy < 0.45


def test_accuracy_is_the_mean_over_labels(rng):
    """A label nine times as frequent does not decide: without information the accuracy is chance."""
    labels = (np.arange(1000) % 10 == 0).astype(int)
    constant = torch.ones(1000, 3)
    assert linear_probe(constant[:500], labels[:500], constant[500:], labels[500:]) == (0.5, 0.5)


def test_what_is_tested_is_standardised_as_what_was_learnt_from():
    learnt, labels = torch.tensor([[-1.0], [-1.1], [1.0], [1.1]]), np.array([0, 0, 1, 1])
    assert linear_probe(learnt, labels, torch.tensor([[1.0], [3.0]]), np.array([0, 1]))[0] == 0.5


def test_neither_numpy_nor_torch_draws(rng):
    features, labels = torch.from_numpy(rng.normal(size=(40, 3))), np.arange(40) % 2
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = linear_probe(features[:20], labels[:20], features[20:], labels[20:])
    probe_split(labels, np.arange(40), 5)
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()
    assert first == linear_probe(features[:20], labels[:20], features[20:], labels[20:])


def test_split_keeps_identities_apart_and_halves_them(rng):
    identities = np.repeat(np.arange(60), 5)
    labels = (identities >= 20).astype(int)  # 20 identities of label 0, 40 of label 1
    learns, tests = probe_split(labels, identities, images=1000)
    assert not set(identities[learns]) & set(identities[tests])
    assert sorted([*learns, *tests]) == list(range(300))
    for label, count in ((0, 10), (1, 20)):
        assert len(set(identities[learns][labels[learns] == label])) == count


def test_split_of_cameras_an_identity_walks_through(rng):
    identities, cameras = np.repeat(np.arange(30), 12), np.tile(np.arange(4), 90)
    learns, tests = probe_split(cameras, identities, images=7, seed=3)
    assert not set(identities[learns]) & set(identities[tests])
    assert (np.bincount(cameras[learns]) == 7).all() and (np.bincount(cameras[tests]) == 7).all()
    again = probe_split(cameras, identities, images=7, seed=3)
    assert (learns == again[0]).all() and (tests == again[1]).all()
    assert not np.array_equal(learns, probe_split(cameras, identities, images=7, seed=4)[0])
    assert (np.diff(learns) > 0).all() and (np.diff(tests) > 0).all()


def test_a_label_of_one_identity_is_left_out():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    identities = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    learns, tests = probe_split(labels, identities)
    assert set(labels[learns]) == set(labels[tests]) == {0, 1}


def test_one_label_is_refused():
    with pytest.raises(EvaluationInputError, match="two labels"):
        probe_split(np.zeros(10, dtype=int), np.arange(10))
    with pytest.raises(EvaluationInputError, match="other labels"):
        linear_probe(torch.eye(2), np.array([0, 1]), torch.eye(2), np.array([0, 2]))


def test_arrays_tensors_and_lists_are_as_good(rng):
    features, labels, people = rng.normal(size=(40, 3)), np.arange(40) % 2, np.arange(40) // 2 % 10
    wanted = linear_probe(torch.from_numpy(features), labels, torch.from_numpy(features), labels)
    assert wanted == linear_probe(features, torch.from_numpy(labels), features, labels.tolist())
    for kind in (torch.from_numpy, np.ndarray.tolist):
        for ours, theirs in zip(probe_split(kind(labels), kind(people)), probe_split(labels, people)):
            np.testing.assert_array_equal(ours, theirs)


def test_labels_of_another_number_than_the_images_are_refused():
    with pytest.raises(EvaluationInputError, match=r"test_labels has the shape \(1,\).*each row of test_features"):
        linear_probe(torch.eye(2), [0, 1], torch.eye(2), [0])
    with pytest.raises(EvaluationInputError, match=r"labels has the shape.*each row of identities"):
        probe_split([0, 1, 0], [0, 1])
    with pytest.raises(EvaluationInputError, match=r"images=2\.5"):
        probe_split([0, 1, 0, 1], [0, 1, 2, 3], images=2.5)
    with pytest.raises(EvaluationInputError, match=r"train_features has the shape \(2,\)"):
        linear_probe(torch.ones(2), [0, 1], torch.eye(2), [0, 1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_no_numbers_are_refused(value):
    spoilt = torch.eye(2).index_fill(0, torch.tensor([1]), value)
    for sides in ((spoilt, torch.eye(2)), (torch.eye(2), spoilt)):
        with pytest.raises(EvaluationInputError, match="_features holds NaN or infinity"):
            linear_probe(sides[0], np.array([0, 1]), sides[1], np.array([0, 1]))


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_network_behind_the_features_gets_no_gradient_in_any_mode(rng, mode):
    """The fit has a backward pass of its own, which went on into the network, or failed."""
    net, labels = torch.nn.Linear(4, 3), np.arange(80) % 2
    images = torch.from_numpy(rng.normal(size=(80, 4)) + labels[:, None]).float()
    images.requires_grad_()
    with mode():
        features = net(images)
        found = linear_probe(features[:40], labels[:40], features[40:], labels[40:])
        alone = features.detach().clone()
    assert found == linear_probe(alone[:40], labels[:40], alone[40:], labels[40:])
    assert images.grad is None and net.weight.grad is None
    assert features.grad_fn is None or torch.autograd.grad(features.sum(), net.weight)  # its graph is still there
