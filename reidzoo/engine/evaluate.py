"""Features of a run's datasets, and what they are worth: the glue between a configuration and the evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.datasets import build_dataset
from reidzoo.engine.build import build_test_table, final_size
from reidzoo.engine.extract import extract_features
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.evaluation import KReciprocal, evaluate_ranking
from reidzoo.transforms import Normalize

if TYPE_CHECKING:
    from reidzoo.datasets import Dataset

__all__ = ["evaluate_dataset", "evaluate_targets", "extract_table", "extract_train_features"]


def extract_train_features(trainer: Runner, name: str = "", title: str = "") -> Tensor:
    """Return the embeddings of training set ``name``, or of all sets in order: float32 (N, D), on the CPU."""
    sets = [trainer.sets[name]] if name else list(trainer.sets.values())
    paths = [path for data in sets for path in data.paths]
    table = trainer.loader.table
    if table.paths != paths or table.size != final_size(trainer.cfg):
        table = build_test_table(trainer.cfg, paths)
    return extract_table(trainer.cfg, trainer.extractor, table, trainer.device, title)


def evaluate_targets(cfg: CfgNode, model: nn.Module, device: torch.device) -> dict[str, dict[str, float]]:
    """Evaluate ``model`` on every dataset of ``DATASETS.TESTS``.

    Returns:
        target (called a twin where it is rendered) -> ``mAP``, ``rank-1``, ``rank-5``, ``rank-10``, ``mINP`` as
        fractions in [0, 1].

    Raises:
        ConfigError: two datasets have one name, under which only one of them could be reported.
    """
    datasets = [build_dataset(node, root=cfg.DATASETS.ROOT) for node in cfg.DATASETS.TESTS]
    titles = [f"{dataset.name} twin" if dataset.is_twin else dataset.name for dataset in datasets]
    twice = [title for n, title in enumerate(titles) if title in titles[:n]]
    if twice:
        raise ConfigError(f"DATASETS.TESTS: two datasets are called {twice[0]}; test on one at a time")
    return {title: evaluate_dataset(cfg, model, dataset, device) for title, dataset in zip(titles, datasets)}


def evaluate_dataset(cfg: CfgNode, model: nn.Module, dataset: Dataset, device: torch.device) -> dict[str, float]:
    """Rank the gallery of ``dataset`` for each query and return the usual figures as fractions in [0, 1].

    A model with ``embed_query`` and ``embed_gallery`` has each side embedded by its own.

    Raises:
        DatasetError: the dataset has no query or gallery.
        EvaluationError: its ids and cameras do not suit the protocol.
    """
    query, gallery = dataset.query, dataset.gallery
    if not query or not gallery:
        raise DatasetError(f"{dataset.name} has no query and gallery to test on; remove it from DATASETS.TESTS")
    sides = [("embed", [*query, *gallery])]
    if hasattr(model, "embed_query"):
        sides = [("embed_query", query), ("embed_gallery", gallery)]
    title, features = f"testing on {dataset.name}", []
    for method, records in sides:
        table = build_test_table(cfg, [record.path for record in records])
        features.append(extract_table(cfg, model, table, device, title, method))
    features = torch.cat(features)
    pids, camids = (np.array([getattr(r, key) for r in (*query, *gallery)]) for key in ("pid", "camid"))
    n = len(query)
    protocol = dataset.protocol if cfg.TEST.PROTOCOL == "auto" else cfg.TEST.PROTOCOL
    result = evaluate_ranking(
        features[:n], features[n:], pids[:n], pids[n:], camids[:n], camids[n:],
        protocol=protocol, metric=cfg.TEST.METRIC, ap=cfg.TEST.AP, rerank=_rerank(cfg), repeats=dataset.repeats,
    )  # fmt: skip
    ranks = {f"rank-{k}": float(result.cmc[min(k, len(result.cmc)) - 1]) for k in (1, 5, 10)}
    return {"mAP": float(result.mAP), **ranks, "mINP": float(result.mINP)}


def _rerank(cfg: CfgNode) -> KReciprocal | bool:
    node = cfg.TEST.RERANK
    return KReciprocal(node.K1, node.K2, node.LAMBDA) if node.ENABLED else False


def extract_table(
    cfg: CfgNode, model: nn.Module, table: ImageTable, device: torch.device, title: str, method: str = "embed"
) -> Tensor:
    """Return the embeddings of the table's images as the configuration tests them: float32 (N, D), on the CPU."""
    return extract_features(
        model,
        table,
        Normalize(cfg.INPUT.MEAN, cfg.INPUT.STD),
        device=device,
        batch_size=cfg.TEST.IMS_PER_BATCH,
        workers=cfg.DATALOADER.NUM_WORKERS,
        flip=cfg.TEST.FLIP,
        precision=cfg.SOLVER.PRECISION,
        title=title,
        method=method,
    )
