"""Pseudo-label clustering: sparse k-reciprocal Jaccard distances, DBSCAN, K-means, reliability and label cleaning."""

from __future__ import annotations

from reidzoo.clustering.dbscan import dbscan, dbscan_radii, number_by_first
from reidzoo.clustering.jaccard.graph import jaccard_graph
from reidzoo.clustering.jaccard_dbscan import JaccardDBSCAN
from reidzoo.clustering.kmeans import KMeans, kmeans
from reidzoo.clustering.label_cleaning import singletons, size_bounds
from reidzoo.clustering.label_quality import label_quality
from reidzoo.clustering.reliability import Reliability, independence_threshold, reliability, self_paced_filter
from reidzoo.clustering.self_paced_dbscan import SelfPacedDBSCAN
from reidzoo.errors import ClusteringError
from reidzoo.neighbours.search import nearest_by_cosine

__all__ = [
    "ClusteringError",
    "JaccardDBSCAN",
    "KMeans",
    "Reliability",
    "SelfPacedDBSCAN",
    "dbscan",
    "dbscan_radii",
    "independence_threshold",
    "jaccard_graph",
    "kmeans",
    "label_quality",
    "nearest_by_cosine",
    "number_by_first",
    "reliability",
    "self_paced_filter",
    "singletons",
    "size_bounds",
]
