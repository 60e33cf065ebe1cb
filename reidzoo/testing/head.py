"""The contract of a HEAD."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reidzoo.errors import UserError
from reidzoo.registry import HEAD
from reidzoo.testing.contract import Contract
from reidzoo.testing.modules import check_evaluation, check_module, check_state, check_training
from reidzoo.testing.values import difference, noise

__all__ = ["check_head"]

SIZES = ((4, 2), (6, 3))
"""Heights and widths of feature maps."""


def check_head(part: Any, in_channels: int = 8, num_classes: int = 3) -> None:
    """Check that a head keeps its contract, on maps of two sizes.

    Args:
        part: the HEAD: its node or its class, without ``in_channels`` and ``num_classes``; or itself, built with these.
        in_channels: C of the feature maps.
        num_classes: how many identities it tells apart.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    with Contract(HEAD, part) as contract:
        given = {"in_channels": in_channels, "num_classes": num_classes}
        head = contract.build(**given)
        check_module(contract, head)
        dim = contract.whole_number(head, "embedding_dim", "the dimension of its embedding")
        for size in SIZES:
            maps = noise(4, in_channels, *size)
            _check_outputs(contract, check_training(contract, head, maps), dim, num_classes)
            _check_outputs(contract, check_evaluation(contract, head, maps), dim)
            check_state(contract, head, maps, **given)
        if contract.can_build:
            _check_without_classes(contract, head, maps)
        _check_reset(contract, head, maps)


def _check_outputs(contract: Contract, outputs: dict[str, Tensor], dim: int, num_classes: int | None = None) -> None:
    """Check ``feat`` and ``embedding`` of four images, and with ``num_classes`` the logits."""
    lacking = [name for name in ("feat", "embedding") if name not in outputs]
    contract.require(not lacking, "it returns a dict with feat and embedding", f"there is no {', '.join(lacking)}")
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    contract.require(
        shapes["embedding"] == (4, dim),
        "embedding is (B, embedding_dim)",
        f"of 4 images {shapes['embedding']}, not {dim}",
    )
    contract.require(len(shapes["feat"]) == 2 and shapes["feat"][0] == 4, "feat is (B, D')", f"{shapes['feat']}")
    if num_classes is None:
        return
    logits = shapes.get("logits", ())
    contract.require(
        len(logits) in (2, 3) and logits[0] == 4 and logits[-1] == num_classes,
        "while training, logits are (B, num_classes), or (B, n, num_classes) of n branches",
        f"of 4 images and {num_classes} identities they are {logits or 'missing'}",
    )


def _check_without_classes(contract: Contract, head: Any, maps: Tensor) -> None:
    """Check that a head for no identities has all but the classifier, and embeds alike."""
    bare = contract.build(in_channels=maps.shape[1], num_classes=0)
    contract.require(getattr(bare, "classifier", None) is None, "classifier is None for num_classes=0")
    logits = "logits" in check_training(contract, bare, maps)
    contract.require(not logits, "there are no logits for num_classes=0")
    shared = {name: value for name, value in head.state_dict().items() if not name.startswith("classifier.")}
    clause = "all weights that depend on the identities are in classifier, which the embedding does not need"
    ours = {name: tuple(value.shape) for name, value in shared.items()}
    bares = {name: tuple(value.shape) for name, value in bare.state_dict().items()}
    odd = sorted(name for name in ours.keys() | bares.keys() if ours.get(name) != bares.get(name))
    contract.require(not odd, clause, f"{', '.join(odd)} differs between heads for several and for 0 identities")
    bare.load_state_dict(shared)
    with torch.no_grad():
        one, other = (each.eval()(maps)["embedding"] for each in (head, bare))
    contract.require(not (found := difference(one, other)), clause, f"without it, the embedding {found}")


def _check_reset(contract: Contract, head: Any, maps: Tensor) -> None:
    """Check that the classifier can be replaced, also by one of as many identities, and taken away."""
    clause = "reset_classifier(num_classes, centroids=None) gives it a classifier of other identities"
    dim = head.embedding_dim
    with contract.clause(clause):
        head.reset_classifier(5)
        _check_outputs(contract, dict(head.train()(maps)), dim, 5)
        before = list(head.classifier.parameters())
        head.reset_classifier(5)
        kept = {id(parameter) for parameter in before} & {id(parameter) for parameter in head.classifier.parameters()}
        contract.require(not kept, "reset_classifier always makes new parameters", f"{len(kept)} of them stayed")
        try:
            head.reset_classifier(4, noise(4, dim))
        except (UserError, ValueError):
            head.reset_classifier(4)
        _check_outputs(contract, dict(head.train()(maps)), dim, 4)
        head.reset_classifier(0)
        contract.require("logits" not in head.train()(maps), clause, "after reset_classifier(0) there are logits")
