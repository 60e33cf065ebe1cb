"""Lays embeddings out in the plane, and says in numbers what the map shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from reidzoo.errors import UserError
from reidzoo.evenly_spaced import evenly_spaced
from reidzoo.needs import need
from reidzoo.neighbours.search import nearest_by_cosine
from reidzoo.reporting.retrieval import Retrieval

__all__ = ["EmbeddingMap", "embedding_map"]

IDENTITIES, IMAGES = 60, 20
"""The most identities on a map, and images of each."""
NEAR = 5
"""Neighbours of an image that are looked at."""


@dataclass(frozen=True)
class EmbeddingMap:
    """Embeddings in the plane.

    Attributes:
        points: float64 (N, 2).
        features: float32 (N, D), of length 1, what was laid out.
        pids, camids: int64 (N,).
        same_identity: share of an image's ``NEAR`` nearest others that show its identity.
        most_identity: the most it could be: some identities have fewer other images.
        same_camera: share of them that are by its camera.
        camera_chance: share of all pairs that are by one camera.
    """

    points: np.ndarray
    features: torch.Tensor
    pids: np.ndarray
    camids: np.ndarray
    same_identity: float
    most_identity: float
    same_camera: float
    camera_chance: float

    def spread(self, labels: np.ndarray) -> list[tuple[int, int, float, float]]:
        """Return each label, its number of images, and their mean cosine with one another and with all others.

        Args:
            labels: integers (N,); a mean of no pair is NaN.
        """
        cosine, rows = (self.features @ self.features.T).double().numpy(), []
        np.fill_diagonal(cosine, np.nan)
        for label in np.unique(labels).tolist():
            own = labels == label
            within, between = cosine[np.ix_(own, own)], cosine[np.ix_(own, ~own)]
            rows.append((label, int(own.sum()), _mean(within), _mean(between)))
        return rows


def embedding_map(retrieval: Retrieval, seed: int = 0) -> EmbeddingMap:
    """Return the t-SNE (van der Maaten and Hinton, JMLR 2008) of some identities of a test set.

    The identities are spread over all those that have a query with a match. Barnes-Hut, from the first two principal
    components; cosine distances, as features are compared.

    Raises:
        UserError: scikit-learn is not installed, or there are too few images.
    """
    manifold = need("sklearn.manifold", "report", "a map of embeddings")
    features, pids, camids = _chosen(retrieval)
    if len(features) < NEAR + 2:
        raise UserError(f"a map of embeddings needs {NEAR + 2} images or more, there are {len(features)}")
    features = torch.nn.functional.normalize(features, dim=1)
    tsne = manifold.TSNE(perplexity=min(30.0, (len(features) - 1) / 3), init="pca", random_state=seed)
    points = tsne.fit_transform(features.numpy()).astype(np.float64)
    near = nearest_by_cosine(features, NEAR + 1)[0].numpy()[:, 1:]
    shares = [float((labels[near] == labels[:, None]).mean()) for labels in (pids, camids)]
    most = float((np.minimum((pids == pids[:, None]).sum(1) - 1, NEAR) / NEAR).mean())
    counts = np.unique(camids, return_counts=True)[1]
    chance = float((counts * (counts - 1)).sum() / (len(camids) * (len(camids) - 1)))
    return EmbeddingMap(points, features, pids, camids, shares[0], most, shares[1], chance)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _chosen(retrieval: Retrieval) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Return features, identities and cameras of up to ``IMAGES`` images of up to ``IDENTITIES`` identities."""
    records, features = [*retrieval.gallery], retrieval.gallery_features
    if retrieval.query is not retrieval.gallery:
        records, features = [*retrieval.query, *records], torch.cat([retrieval.query_features, features])
    pids, camids = (np.array([getattr(record, key) for record in records]) for key in ("pid", "camid"))
    known = np.unique(retrieval.query_pids[retrieval.lists.match >= 0])
    wanted = known[evenly_spaced(len(known), IDENTITIES)]
    rows = [np.flatnonzero(pids == pid) for pid in wanted]
    chosen = np.concatenate([own[evenly_spaced(len(own), IMAGES)] for own in rows])
    return features[torch.from_numpy(chosen)].float(), pids[chosen], camids[chosen]
