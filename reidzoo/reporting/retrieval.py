"""Evaluates one test set and keeps what its pictures are drawn of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.datasets.names import UNNAMED, Names
from reidzoo.engine.evaluate import comparison_device, dataset_ids, embed_sides, ranking_options
from reidzoo.evaluation import (
    KReciprocal,
    Labels,
    RankingResult,
    RankLists,
    RocCurve,
    evaluate_distances,
    rank_lists,
)
from reidzoo.evaluation.protocols import JUNK, CameraFree, Market1501
from reidzoo.evaluation.ranking import ROC_RATES, build_protocol
from reidzoo.inference import ReadyModel
from reidzoo.neighbours.distances import DistanceSource, FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable

if TYPE_CHECKING:
    from reidzoo.datasets import Dataset, Record

__all__ = ["Retrieval"]

LENGTH = 20
"""Images of a rank list."""


@dataclass(frozen=True)
class Retrieval:
    """An evaluation of one test set. A protocol that pools its images has them all on both sides.

    Attributes:
        title: the test set's name in results.
        query, gallery: their records.
        query_features, gallery_features: float32 (Q, D) and (G, D).
        result: the measures.
        lists: the nearest images of every query.
        roc: of all pairs of a query and a gallery image that count. Where the protocol draws galleries, of the pairs of
            all its images, of two cameras where they are one identity's, if it knows cameras. None with one identity.
        similarity: whether ``1 - distance`` is the cosine of two features.
        names: what identities and cameras are called.
    """

    title: str
    query: Sequence[Record]
    gallery: Sequence[Record]
    query_features: Tensor
    gallery_features: Tensor
    result: RankingResult
    lists: RankLists
    roc: RocCurve | None
    similarity: bool
    names: Names = UNNAMED

    @classmethod
    def of_model(cls, model: ReadyModel, dataset: Dataset, title: str) -> Retrieval:
        """Evaluate a model as its configuration says."""
        options = ranking_options(model.config, dataset)
        features = embed_sides(model.config, model.module, dataset, model.device)
        options["device"] = comparison_device(model.device)
        sides = dataset.query, dataset.gallery
        retrieval = cls.of_features(title, *sides, *features, *dataset_ids(dataset), **options)
        return replace(retrieval, names=Names.of(dataset))

    @classmethod
    def of_features(
        cls,
        title: str,
        query: Sequence[Record],
        gallery: Sequence[Record],
        query_features: Tensor,
        gallery_features: Tensor,
        *ids: np.ndarray,
        protocol: Any = "market1501",
        metric: str = "cosine",
        ap: str = "step",
        repeats: int | None = None,
        rerank: KReciprocal | None = None,
        roc: Sequence[float] = (),
        device: str | torch.device = "cpu",
    ) -> Retrieval:
        """Evaluate features, in two passes over blocks of query x gallery.

        Args:
            title: the test set's name.
            query, gallery: records of the Q and G images.
            query_features, gallery_features: (Q, D), (G, D).
            ids: identities of query and gallery, then cameras of both.
            protocol, metric, ap, repeats, rerank, device: as for ``evaluate_ranking``.
            roc: false positive rates besides the usual ones.
        """
        rules = build_protocol(protocol, Labels(*ids), 0, repeats)
        tables = [FeatureTable(query_features, "query", device), FeatureTable(gallery_features, "gallery", device)]
        if rules.pooled:  # the gallery first; none of its images is a query's
            query = gallery = [*gallery, *query]
            query_features = gallery_features = torch.cat([gallery_features, query_features])
            tables = [FeatureTable.joined(tables[::-1], "features")] * 2
        source: DistanceSource = FeatureDistances(tables[0], tables[1], metric)
        if rerank:
            source = rerank.distances(tables[0], tables[1], metric)
        rates = sorted({*ROC_RATES, *roc}) if len(np.union1d(ids[0], ids[1][ids[1] != JUNK])) > 1 else False
        result = evaluate_distances(source, rules, ap=ap, roc=False if rules.single_shot else rates)
        if (curve := result.roc) is None and rates:
            pairs = (Market1501 if rules.needs_cameras else CameraFree)(rules.labels)
            curve = evaluate_distances(source, pairs, roc=rates).roc
        lists = rank_lists(source, rules, LENGTH)
        features = query_features.cpu(), gallery_features.cpu()
        return cls(title, query, gallery, *features, result, lists, curve, source.metric == "cosine")

    @property
    def query_pids(self) -> np.ndarray:
        """int64 (Q,)."""
        return np.array([record.pid for record in self.query])

    @property
    def gallery_pids(self) -> np.ndarray:
        """int64 (G,)."""
        return np.array([record.pid for record in self.gallery])

    @property
    def axis(self) -> str:
        """What is written under an image and at an axis: similarity or distance."""
        return "similarity" if self.similarity else "distance"

    def shown(self, distance: float) -> float:
        """Return a distance as it is shown: as a similarity where it is one."""
        return 1 - distance if self.similarity else distance
