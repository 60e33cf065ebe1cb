"""Compares an exported file with its model on the same crops: embeddings, ranking, mAP and speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reidzoo.deployment.crops import Crops
from reidzoo.errors import EvaluationError
from reidzoo.evaluation import evaluate_ranking

__all__ = ["MARGIN", "Parity", "compare", "mean_ap", "share_of_changed_neighbours", "time_session"]

MARGIN = 1e-3
"""Cosine similarities closer than this are a tie: an order among them is no one's ranking."""
BLOCK = 512
BATCH = 32


@dataclass(frozen=True)
class Parity:
    """The comparison of an exported file with the model that it was made of.

    Attributes:
        crops: what it was compared on, in words.
        images: how many.
        largest_difference: between two numbers of the embeddings.
        smallest_cosine: between the two embeddings of a crop.
        mean_cosine: likewise.
        changed_neighbours: share of the crops whose nearest other crop is another, ties not counted.
        mAP_model, mAP_file: in [0, 1], on the same pixels; None without labels.
    """

    crops: str
    images: int
    largest_difference: float
    smallest_cosine: float
    mean_cosine: float
    changed_neighbours: float
    mAP_model: float | None = None
    mAP_file: float | None = None

    def differs(self, tolerance: float) -> str:
        """Return in words why the file ranks differently than the model, "" if it does not.

        Args:
            tolerance: mAP, and share of changed neighbours, that may differ, in [0, 1].
        """
        if not np.isfinite(self.largest_difference):
            return "its embeddings hold NaN or infinity"
        if self.mAP_model is not None and self.mAP_file is not None:
            change = self.mAP_file - self.mAP_model
            if abs(change) > tolerance:
                return f"its mAP is {100 * self.mAP_file:.2f} % and the model's {100 * self.mAP_model:.2f} %"
        if self.mAP_model is None and self.changed_neighbours > tolerance:
            return f"{100 * self.changed_neighbours:.1f} % of the crops have another nearest crop"
        return ""


def compare(model: Tensor, file: Tensor, crops: Crops, metric: str = "cosine") -> Parity:
    """Compare embeddings of the same pixels.

    Args:
        model: (N, D) by the model, in the order of ``crops.paths``.
        file: (N, D) by the exported file.
        crops: what they are of.
        metric: ``cosine`` or ``euclidean``, of the model's evaluation.
    """
    cosine = functional.cosine_similarity(model.double(), file.double(), dim=1)
    return Parity(
        crops=crops.title,
        images=len(model),
        largest_difference=float((model - file).abs().max()),
        smallest_cosine=float(cosine.min()),
        mean_cosine=float(cosine.mean()),
        changed_neighbours=share_of_changed_neighbours(model, file, len(crops.query) if crops.gallery else 0),
        mAP_model=mean_ap(model, crops, metric),
        mAP_file=mean_ap(file, crops, metric),
    )


def share_of_changed_neighbours(model: Tensor, file: Tensor, queries: int = 0) -> float:
    """Return the share of crops whose nearest neighbour by ``file`` is, by ``model``, farther than its own by MARGIN.

    Args:
        model: (N, D) embeddings; only blocks of their similarities are held.
        file: (N, D), likewise.
        queries: the first so many rows are searched for among the others; 0 searches each row among all others.
    """
    first = queries or len(model)
    sides = [functional.normalize(each.float(), dim=1) for each in (model, file)]
    changed = 0
    for start in range(0, first, BLOCK):
        end = min(start + BLOCK, first)
        own, other = (side[start:end] @ side[queries:].T for side in sides)
        if not queries:
            rows = torch.arange(end - start)
            own[rows, rows + start] = other[rows, rows + start] = -torch.inf
        picked = own.gather(1, other.argmax(1, keepdim=True))[:, 0]
        changed += int((own.amax(1) - picked > MARGIN).sum())
    return changed / first


def mean_ap(features: Tensor, crops: Crops, metric: str = "cosine") -> float | None:
    """Return the mAP of embeddings (N, D) in the order of ``crops.paths``; None without labels or matches."""
    if crops.pids is None or not torch.isfinite(features).all():
        return None
    count = len(crops.query)
    pids, camids = np.array(crops.pids), np.array(crops.camids)
    try:
        return evaluate_ranking(
            features[:count], features[count:], pids[:count], pids[count:], camids[:count], camids[count:],
            protocol=crops.protocol, metric=metric,
        ).mAP  # fmt: skip
    except EvaluationError:  # no query has a match under another camera
        return None


def time_session(run: Callable[[Any], Any], images: Any, rounds: int = 20) -> dict[str, float]:
    """Return the median latency of a single image in milliseconds, and images per second in batches of 32.

    Args:
        run: takes a batch.
        images: at least one image (N, 3, H, W) as ``run`` takes them.
        rounds: of which the median is taken; a first call is not counted.
    """
    single = images[:1]
    batch = torch.cat([images] * (-(-BATCH // len(images))))[:BATCH] if isinstance(images, Tensor) else _repeat(images)
    latency = float(np.median(list(_times(run, single, rounds))))
    whole = float(np.median(list(_times(run, batch, max(3, rounds // 4)))))
    return {"latency_ms": round(1000 * latency, 3), "images_per_second": round(len(batch) / whole, 1)}


def _repeat(images: np.ndarray) -> np.ndarray:
    return np.concatenate([images] * (-(-BATCH // len(images))))[:BATCH]


def _times(run: Callable[[Any], Any], images: Any, rounds: int) -> Iterator[float]:
    run(images)
    for _ in range(rounds):
        start = time.perf_counter()
        run(images)
        yield time.perf_counter() - start
