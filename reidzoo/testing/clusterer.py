"""The contract of a CLUSTERER."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reidzoo.registry import CLUSTERER
from reidzoo.testing.contract import Contract
from reidzoo.testing.values import difference, noise, saved_and_read

__all__ = ["check_clusterer"]


def check_clusterer(part: Any, features: Tensor | None = None) -> None:
    """Check that a clusterer keeps its contract.

    Args:
        part: the CLUSTERER: its node, its class, or itself.
        features: float32 (N, D); 8 images of each of 4 identities, in turn, and 4 images apart from all, if None.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    features = _identities() if features is None else features
    with Contract(CLUSTERER, part) as contract:
        clusterer, given = contract.build(), features.clone()
        labels = _labels(contract, clusterer, given)
        contract.require(torch.equal(given, features), "it leaves the features as they are", "they were written into")
        _check_numbers(contract, labels)
        same = np.array_equal(labels, _labels(contract, contract.build(seed=1), features))
        contract.require(same, "labels follow from the features alone", "another one gives others for the same ones")
        _check_state(contract, clusterer, features)


def _identities() -> Tensor:
    centres, apart = noise(4, 16).repeat(8, 1), noise(4, 16, seed=1)
    return functional.normalize(torch.cat([centres + 0.1 * noise(32, 16, seed=2), apart]))


def _labels(contract: Contract, clusterer: Any, features: Tensor) -> np.ndarray:
    """Return the labels of features, and check that they are what labels are."""
    takes = contract.clause("fit_predict takes features, float32 (N, D)")
    with takes, contract.no_draws("it draws from no global generator"):
        labels = clusterer.fit_predict(features)
    right = isinstance(labels, np.ndarray) and labels.dtype == np.int64 and labels.shape == (len(features),)
    found = f"{labels.dtype} {tuple(labels.shape)}" if hasattr(labels, "dtype") else ""
    contract.require(
        right, "fit_predict returns a numpy array, int64 (N,)", f"it returned a {type(labels).__name__} {found}".strip()
    )
    return labels


def _check_numbers(contract: Contract, labels: np.ndarray) -> None:
    """Check that -1 is the lowest label, and that clusters are numbered by their first member."""
    contract.require(bool((labels >= -1).all()), "outliers are -1", f"there is {labels.min()}")
    members = labels[labels >= 0]
    in_order = list(dict.fromkeys(members.tolist()))
    contract.require(
        in_order == list(range(len(in_order))),
        "clusters are numbered by their first member",
        f"they begin {in_order[:5]}",
    )


def _check_state(contract: Contract, clusterer: Any, features: Tensor) -> None:
    """Check that what it remembers survives a checkpoint, and decides what it does next."""
    both = [hasattr(clusterer, name) for name in ("state_dict", "load_state_dict")]
    contract.require(both[0] == both[1], "it has state_dict and load_state_dict, both or neither")
    state, other = None, contract.build(seed=2)
    if all(both):
        with contract.clause("its state is plain values and tensors"):
            state = saved_and_read(clusterer.state_dict())
            other.load_state_dict(state)
        found = difference(clusterer.state_dict(), other.state_dict())
        contract.require(not found, "load_state_dict takes up what state_dict gave", found)
    moved = functional.normalize(features + 0.2 * noise(*features.shape, seed=3))
    same = np.array_equal(_labels(contract, clusterer, moved), _labels(contract, other, moved))
    contract.require(same, "what it remembers is in state_dict", "one with its state gives other labels")
