"""A linear probe: how well a fresh linear classifier tells domains or cameras apart by frozen features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reidzoo.errors import EvaluationInputError
from reidzoo.neighbours.checks import check_count, check_seed

__all__ = ["linear_probe", "probe_split"]


def probe_split(
    labels: Tensor | np.ndarray, identities: Tensor | np.ndarray, images: int = 500, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the rows that a probe learns from and those that it is tested on: no identity is on both sides.

    Each side gets half of the identities, of every label the half of those whose lowest label it is, and at most
    ``images`` rows of a label. A label that one of the sides lacks is left out of both.

    Args:
        labels: integers (N,), the classes that the probe is to tell apart.
        identities: integers (N,), the person or vehicle that a row shows.
        images: the largest number of rows per label and side.
        seed: chooses identities and rows; nothing else is random.

    Returns:
        Two sorted int64 arrays of rows.

    Raises:
        EvaluationInputError: fewer than two labels are left, labels and identities are not as many, or ``images`` or
            ``seed`` is no whole number.
    """
    check_count(images, "images")
    identities = _column(identities, "identities", len(identities), "the images")
    labels = _column(labels, "labels", len(identities), "identities")
    rng = np.random.default_rng(check_seed(seed))
    unique = np.unique(identities)
    lowest = np.full(len(unique), np.iinfo(np.int64).max)
    np.minimum.at(lowest, np.searchsorted(unique, identities), labels)
    order = rng.permutation(len(unique))
    order = order[np.argsort(lowest[order], kind="stable")]
    learns = np.zeros(len(unique), dtype=bool)
    learns[order[::2]] = True
    side = learns[np.searchsorted(unique, identities)]
    usable = np.intersect1d(labels[side], labels[~side])
    if len(usable) < 2:
        raise EvaluationInputError(
            f"a probe needs two labels or more, each with two identities or more; of {len(np.unique(labels))} labels "
            f"{len(usable)} are left"
        )
    rows = rng.permutation(len(labels))
    halves = []
    for wanted in (True, False):
        chosen = [rows[(side[rows] == wanted) & (labels[rows] == label)][:images] for label in usable]
        halves.append(np.sort(np.concatenate(chosen)))
    return halves[0], halves[1]


@torch.inference_mode(False)
@torch.no_grad()
def linear_probe(
    train_features: Tensor | np.ndarray,
    train_labels: Tensor | np.ndarray,
    test_features: Tensor | np.ndarray,
    test_labels: Tensor | np.ndarray,
    l2: float = 1e-3,
) -> tuple[float, float]:
    """Return the balanced accuracy of a linear classifier on features it has not seen, and what chance gives.

    Multinomial logistic regression (a linear probe; Alain and Bengio, 2016) on standardised features, every label with
    the same weight, from zero weights to the minimum of a convex function: nothing in it is random. With two domains
    for labels and error e = 1 - accuracy, 2 (1 - 2 e) is the proxy A-distance (Ben-David et al., NIPS 2006; measured
    with a linear classifier on a held-out half as by Ganin et al., JMLR 2016).

    Args:
        train_features: (N, D) to learn from.
        train_labels: integers (N,).
        test_features: (M, D).
        test_labels: integers (M,), the same labels.
        l2: weight of half the squared norm of the classifier's weights, added to the mean cross entropy. The default is
            scikit-learn's default C = 1 for a thousand rows.

    Returns:
        The mean over the labels of the share of their rows that are classified correctly, and 1 / labels.

    Raises:
        EvaluationInputError: the two sides' labels differ, they are not one for each row of features, or a feature is
            not finite.
    """
    train_features, train_labels = _side(train_features, train_labels, "train")
    test_features, test_labels = _side(test_features, test_labels, "test")
    names, target = np.unique(train_labels, return_inverse=True)
    if not np.array_equal(names, np.unique(test_labels)):
        raise EvaluationInputError("the probe is tested on other labels than it learns; split with probe_split")
    mean, std = train_features.double().mean(0), train_features.double().std(0).clamp(min=1e-8)
    train, test = (train_features.double() - mean) / std, (test_features.double() - mean) / std
    weight, bias = _fit(train, torch.from_numpy(target), len(names), l2)
    predicted = (test @ weight + bias).argmax(1).numpy()
    truth = np.searchsorted(names, test_labels)
    recalls = [float((predicted[truth == label] == label).mean()) for label in range(len(names))]
    return float(np.mean(recalls)), 1 / len(names)


def _side(features: Tensor | np.ndarray, labels: Tensor | np.ndarray, name: str) -> tuple[Tensor, np.ndarray]:
    """Return one side's features and labels, checked."""
    features = torch.as_tensor(features).detach()
    if features.dim() != 2:
        raise EvaluationInputError(f"{name}_features has the shape {tuple(features.shape)}; expected (N, D)")
    if not features.isfinite().all():
        raise EvaluationInputError(f"{name}_features holds NaN or infinity; a probe of them would look like chance")
    return features, _column(labels, f"{name}_labels", len(features), f"{name}_features")


def _column(values: Tensor | np.ndarray, name: str, length: int, owner: str) -> np.ndarray:
    """Return labels as an array (N,), where N is the ``length`` of ``owner``."""
    column = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    if column.ndim != 1 or len(column) != length:
        raise EvaluationInputError(f"{name} has the shape {column.shape}; give one for each row of {owner}")
    return column


@torch.enable_grad()
def _fit(features: Tensor, target: Tensor, classes: int, l2: float) -> tuple[Tensor, Tensor]:
    """Return weights (D, classes) and biases (classes,) that minimise the class-balanced, regularised cross entropy."""
    balance = 1 / (classes * torch.bincount(target, minlength=classes).double())
    weight = torch.zeros(features.shape[1], classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=300, tolerance_grad=1e-6, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        entropy = functional.cross_entropy(features @ weight + bias, target, weight=balance, reduction="sum")
        total = entropy + l2 / 2 * weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return weight.detach(), bias.detach()
