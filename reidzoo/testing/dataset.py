"""The contract of a DATASET."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from reidzoo.datasets import Record, TrainSet
from reidzoo.datasets.base import SPLITS, absent_files, examples
from reidzoo.datasets.build import NEEDED
from reidzoo.engine.evaluate import record_ids
from reidzoo.evaluation.protocols import PROTOCOLS, Labels, Protocol
from reidzoo.evaluation.ranking import build_protocol
from reidzoo.registry import DATASET
from reidzoo.testing.contract import Contract

__all__ = ["check_dataset"]

LOWEST = {"pid": -1, "camid": 0, "domain": 0, "timeid": -1, "viewid": -1}


def check_dataset(part: Any, root: str | os.PathLike[str] = "datasets") -> None:
    """Check that a dataset keeps its contract; all its records are read, and no image is opened.

    Args:
        part: the DATASET: its name or node, its class, or itself.
        root: the folder that holds the datasets.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    with Contract(DATASET, part) as contract:
        own_root = isinstance(contract.part, Mapping) and "root" in contract.part
        dataset = contract.build() if own_root else contract.build(root=root)
        _check_what_it_says(contract, dataset)
        for split in SPLITS:
            _check_records(contract, dataset, split)
        _check_test(contract, dataset)
        if dataset.train:
            with contract.clause("a training set can be made of it"):
                TrainSet([dataset])


def _check_what_it_says(contract: Contract, dataset: Any) -> None:
    """Check the attributes that logs, tables and the evaluation ask for."""
    lacking = [name for name in NEEDED if not hasattr(dataset, name)]
    contract.require(not lacking, f"it has {', '.join(NEEDED)}", f"it lacks {', '.join(lacking)}")
    for name, kind in (("name", str), ("folder", str), ("is_twin", bool)):
        value = getattr(dataset, name)
        contract.require(isinstance(value, kind), f"{name} is a {kind.__name__}", f"it is {value!r}")
    contract.require(bool(dataset.name), "name is not empty")
    protocol, repeats = dataset.protocol, getattr(dataset, "repeats", None)
    known = protocol in PROTOCOLS if isinstance(protocol, str) else issubclass(protocol, Protocol)
    contract.require(known, f"protocol is one of {', '.join(PROTOCOLS)}, or a Protocol class", f"it is {protocol!r}")
    whole = repeats is None or (isinstance(repeats, int) and repeats > 0)
    contract.require(whole, "repeats is None or a positive whole number", f"it is {repeats!r}")


def _check_records(contract: Contract, dataset: Any, split: str) -> None:
    """Check the records of one split, and that they are the same each time."""
    records = getattr(dataset, split)
    clause = f"{split} is a list of Record"
    contract.require(isinstance(records, list), clause, f"it is a {type(records).__name__}")
    wrong = [record for record in records if not isinstance(record, Record)]
    contract.require(not wrong, clause, f"{wrong[:1]} is none")
    contract.require(dataset.records(split) == records, f'records("{split}") is {split}')
    if contract.can_build:
        again = contract.build(seed=1, root=dataset.root) if hasattr(dataset, "root") else dataset
        contract.require(getattr(again, split) == records, f"{split} comes in the same order each time")
    for name, lowest in LOWEST.items():
        values = [getattr(record, name) for record in records]
        odd = [value for value in values if not isinstance(value, int | np.integer) or value < lowest]
        contract.require(not odd, f"{name} is a whole number from {lowest} on", f"{split} has {odd[:3]}")
    twice = [path for path, count in Counter(record.path for record in records).items() if count > 1]
    contract.require(not twice, f"each file is once in {split}", f"{examples(twice)} is there more often")
    absent = absent_files([record.path for record in records])
    contract.require(not absent, "the files exist", f"{len(absent)} of {split} do not: {examples(absent)}")


def _check_test(contract: Contract, dataset: Any) -> None:
    """Check that the protocol can be used with the labels of query and gallery."""
    query, gallery = dataset.query, dataset.gallery
    contract.require(
        bool(query) == bool(gallery),
        "query and gallery are both there or both empty",
        f"{len(query)} and {len(gallery)}",
    )
    contract.require(bool(dataset.train or query), "it has images to train on or to test on", "it has none")
    if query:
        with contract.clause(f"its query and gallery suit its protocol, {dataset.protocol}"):
            labels = Labels(*record_ids(query, gallery))
            build_protocol(dataset.protocol, labels, 0, getattr(dataset, "repeats", None)).check()
