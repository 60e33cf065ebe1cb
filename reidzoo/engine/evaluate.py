"""Evaluates a model on a configuration's datasets: builds the datasets, extracts their features and ranks them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.datasets.nodes import Node, is_same_dataset, layers, readable_now, train_nodes
from reidzoo.engine.build import build_test_table, final_interpolation, final_size
from reidzoo.engine.cameras import side_information_of
from reidzoo.engine.extract import extract_features
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.evaluation import (
    PROTOCOLS,
    EvaluationInputError,
    KReciprocal,
    Labels,
    Protocol,
    RankingResult,
    average_query_expansion,
    evaluate_ranking,
)
from reidzoo.evaluation.query_expansion import check_expansion
from reidzoo.evaluation.ranking import build_protocol
from reidzoo.evaluation.roc import check_rates
from reidzoo.neighbours.checks import check_choice
from reidzoo.registry import DATASET
from reidzoo.transforms import Normalize

if TYPE_CHECKING:
    from reidzoo.datasets import Dataset, Record

__all__ = [
    "FIGURES",
    "check_evaluation",
    "check_target",
    "comparison_device",
    "dataset_ids",
    "embed_sides",
    "evaluate_dataset",
    "evaluate_targets",
    "extract_table",
    "extract_train_features",
    "rank_dataset",
    "ranking_options",
    "record_ids",
    "resident",
    "target_figures",
    "target_title",
]

FIGURES = ("mAP", "rank-1", "rank-5", "rank-10", "rank-20", "mINP")
"""The figures of every evaluation of a dataset; results written by an older version lack ``rank-20``."""


def extract_train_features(trainer: Runner, name: str = "", title: str = "") -> Tensor:
    """Return the embeddings of training set ``name``, or of all sets in order: float32 (N, D), on the CPU."""
    sets = [trainer.sets[name]] if name else list(trainer.sets.values())
    paths = [path for data in sets for path in data.paths]
    table = trainer.loader.table
    tested = final_size(trainer.cfg), final_interpolation(trainer.cfg)
    if table.paths != paths or (table.size, table.interpolation) != tested:
        table = build_test_table(trainer.cfg, paths)
    sides = [np.concatenate([getattr(data, name) for data in sets]) for name in ("camids", "viewids")]
    return extract_table(trainer.cfg, trainer.extractor, table, trainer.device, title, sides=sides)


def evaluate_targets(cfg: CfgNode, model: nn.Module, device: torch.device) -> dict[str, dict[str, float]]:
    """Evaluate ``model`` on every dataset of ``DATASETS.TESTS``.

    Returns:
        target (called a twin where it is rendered) -> what ``evaluate_dataset`` returns.

    Raises:
        ConfigError: see ``check_evaluation``.
    """
    return {title: evaluate_dataset(cfg, model, dataset, device) for title, dataset in check_evaluation(cfg).items()}


def target_figures(results: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    """Return of a stage's results those of DATASETS.TESTS, without what hooks have measured: a probe, a validation."""
    return {target: figures for target, figures in results.items() if "mAP" in figures and target != "validation"}


def check_evaluation(cfg: CfgNode) -> dict[str, Dataset]:
    """Check that ``cfg`` can be evaluated and return title -> dataset.

    Raises:
        ConfigError: two datasets have one name, under which only one of them could be reported; or as ``check_target``.
        DatasetError, EvaluationError: as ``check_target``.
    """
    datasets: dict[str, Dataset] = {}
    for node in cfg.DATASETS.TESTS:
        dataset = build_dataset(node, root=cfg.DATASETS.ROOT)
        title = target_title(dataset, datasets)
        check_target(cfg, node, dataset)
        datasets[title] = dataset
    return datasets


def target_title(dataset: Dataset, others: Collection[str]) -> str:
    """Return what results call a dataset, a twin where it is rendered; raises ConfigError if another is called so."""
    title = f"{dataset.name} twin" if dataset.is_twin else dataset.name
    if title in others:
        raise ConfigError(f"DATASETS.TESTS: two datasets are called {title}; test on one at a time")
    return title


def check_target(cfg: CfgNode, node: Node, dataset: Dataset) -> None:
    """Check all that testing on ``dataset``, an entry of DATASETS.TESTS, can be known to take, but for its pixels.

    Args:
        cfg: the stage's configuration.
        node: the entry.
        dataset: what it was built to.

    Raises:
        ConfigError: a value of TEST is out of its range, or asks for what the dataset's protocol does not have; or the
            entry asks for a validation part that has no query and gallery of its own, or that is trained on.
        DatasetError: the dataset has no query or gallery.
        EvaluationError: its ids and cameras do not suit the protocol.
    """
    _check_part(cfg, node, dataset)
    options = ranking_options(cfg, dataset)
    labels = dataset_ids(dataset)
    try:
        build_protocol(options["protocol"], Labels(*labels), 0, options["repeats"]).check()
    except EvaluationInputError as error:
        text = str(error).replace("protocol='camera_free'", "TEST.PROTOCOL camera_free")
        raise EvaluationInputError(f"{dataset.name}: {text}") from None


def _check_part(cfg: CfgNode, node: Node, dataset: Dataset) -> None:
    """Raise ConfigError where a validation part has no query and gallery of its own, or is of what is trained on."""
    parts = [layer for layer in layers(node) if layer.get("part") == "val"]
    if any(not getattr(DATASET.get(layer["type"]), "tests_its_part", False) for layer in parts):
        raise ConfigError(
            f"DATASETS.TESTS: {dataset.name} with part: val would be tested on the query and gallery of its test set: "
            f"part divides the training images alone. Name the dataset itself to test on it; a validation set with a "
            f"query and a gallery is {{type: HoldOutIdentities, dataset: D, part: val}}"
        )
    trained = [other for other in train_nodes(cfg.DATASETS.TRAIN) if is_same_dataset(other, node)]
    if not parts or not trained:
        return
    if both := TrainSet([dataset]).people & _people(cfg, trained):
        raise ConfigError(
            f"DATASETS.TESTS: {dataset.name}: {len(both)} identities that are validated on are trained on, too; train "
            f"on {dict(parts[0]) | {'part': 'train'}}"
        )


def _people(cfg: CfgNode, nodes: Sequence[Node]) -> set[tuple[str, int]]:
    """Return the identities that these entries of DATASETS.TRAIN train on."""
    sets = [TrainSet([build_dataset(readable_now(node), root=cfg.DATASETS.ROOT)]) for node in nodes]
    return set().union(*(data.people for data in sets))


def _both_sides(dataset: Dataset) -> tuple[list[Record], list[Record]]:
    """Return query and gallery; raises DatasetError where one is empty."""
    query, gallery = dataset.query, dataset.gallery
    if not query or not gallery:
        lacking = " and ".join(name for name, side in (("query", query), ("gallery", gallery)) if not side)
        raise DatasetError(f"{dataset.name} has no {lacking} to test on; remove it from DATASETS.TESTS")
    return query, gallery


def evaluate_dataset(cfg: CfgNode, model: nn.Module, dataset: Dataset, device: torch.device) -> dict[str, float]:
    """Return the usual figures of ``rank_dataset`` as fractions in [0, 1].

    Returns:
        ``FIGURES`` by name, and with ``TEST.ROC`` such as ``TPR@FPR=0.01``.

    Raises:
        ConfigError, DatasetError, EvaluationError: as ``rank_dataset``.
    """
    return rank_dataset(cfg, model, dataset, device).figures()


def rank_dataset(cfg: CfgNode, model: nn.Module, dataset: Dataset, device: torch.device) -> RankingResult:
    """Rank the gallery of ``dataset`` for each query.

    A model with ``embed_query`` and ``embed_gallery`` has each side embedded by its own. Distances are computed on
    ``device``, by each process those of its share of the queries.

    Raises:
        ConfigError: a value of TEST is out of its range, or asks for what the dataset's protocol does not have.
        DatasetError: the dataset has no query or gallery.
        EvaluationError: its ids and cameras do not suit the protocol.
    """
    options = ranking_options(cfg, dataset)
    where = comparison_device(device)
    queries, galleries = embed_sides(cfg, model, dataset, device)
    options |= {"device": where, "shard": True}
    return evaluate_ranking(queries, galleries, *dataset_ids(dataset), **options)


def embed_sides(cfg: CfgNode, model: nn.Module, dataset: Dataset, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the features of query (Q, D) and gallery (G, D) that ``rank_dataset`` compares, query expansion done.

    Raises:
        DatasetError: the dataset has no query or gallery.
    """
    query, gallery = _both_sides(dataset)
    sides = [("embed", [*query, *gallery])]
    if hasattr(model, "embed_query"):
        sides = [("embed_query", query), ("embed_gallery", gallery)]
    title, features = f"testing on {dataset.name}", []
    for method, records in sides:
        table = build_test_table(cfg, [record.path for record in records])
        told = side_information_of(cfg, model, dataset, records)
        features.append(extract_table(cfg, model, table, device, title, method, told))
    where = comparison_device(device)
    queries, galleries = resident(torch.cat(features), where).tensor_split([len(query)])
    if cfg.TEST.QUERY_EXPANSION.ENABLED:
        expansion = cfg.TEST.QUERY_EXPANSION
        expanded = average_query_expansion(queries, galleries, expansion.K, alpha=expansion.ALPHA, device=where)
        queries = torch.from_numpy(expanded)
    return queries, galleries


def dataset_ids(dataset: Dataset) -> list[np.ndarray]:
    """Return the ``record_ids`` of a dataset's query and gallery."""
    return record_ids(*_both_sides(dataset))


def record_ids(query: Sequence[Record], gallery: Sequence[Record]) -> list[np.ndarray]:
    """Return identities of query and gallery and cameras of query and gallery, int64, as ``Labels`` takes them."""
    return [
        np.array([getattr(record, key) for record in side], dtype=np.int64)
        for key in ("pid", "camid")
        for side in (query, gallery)
    ]


def comparison_device(device: torch.device) -> torch.device:
    """Return where features of models on ``device`` are compared: there, or on the CPU where it has no float64."""
    return torch.device("cpu") if device.type == "mps" else device


def resident(features: Tensor, device: torch.device) -> Tensor:
    """Return ``features`` on the device if they fit into half of its free memory, else as they are.

    A product on the device takes those on the CPU tile by tile, as often as it needs them.
    """
    if device.type == "cuda" and features.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
        return features
    return features.to(device)


def ranking_options(cfg: CfgNode, dataset: Dataset) -> dict[str, Any]:
    """Return the options of ``evaluate_ranking`` for ``dataset`` from TEST; raises as ``evaluate_dataset``."""
    test = cfg.TEST
    options = {"protocol": _protocol(cfg, dataset), "metric": test.METRIC, "ap": test.AP}
    options["repeats"] = getattr(dataset, "repeats", None)
    if test.RERANK.ENABLED:
        with _config_errors("TEST.RERANK"):
            options["rerank"] = KReciprocal(test.RERANK.K1, test.RERANK.K2, test.RERANK.LAMBDA)
    if test.QUERY_EXPANSION.ENABLED:
        with _config_errors("TEST.QUERY_EXPANSION"):
            check_expansion(test.QUERY_EXPANSION.K, test.QUERY_EXPANSION.ALPHA)
        if test.METRIC != "cosine":
            raise ConfigError("TEST.QUERY_EXPANSION: it averages unit vectors, and needs TEST.METRIC cosine")
    if test.ROC.ENABLED:
        with _config_errors("TEST.ROC"):
            check_rates(test.ROC.RATES)
        options["roc"] = test.ROC.RATES
    return options


def _protocol(cfg: CfgNode, dataset: Dataset) -> str | type[Protocol]:
    """Return the protocol that ``dataset`` is tested by, after checking that TEST's options are defined for it."""
    protocol = dataset.protocol if cfg.TEST.PROTOCOL == "auto" else cfg.TEST.PROTOCOL
    if isinstance(protocol, str):
        with _config_errors("TEST.PROTOCOL"):
            check_choice(protocol, f"the protocol of {dataset.name}", tuple(PROTOCOLS))
    single_shot = (PROTOCOLS[protocol] if isinstance(protocol, str) else protocol).single_shot
    for key in ("RERANK", "QUERY_EXPANSION", "ROC"):
        if single_shot and cfg.TEST[key].ENABLED:
            raise ConfigError(
                f"TEST.{key}: the protocol of {dataset.name} draws one gallery image of each identity, for which this "
                f"is not defined; set TEST.{key}.ENABLED false, or TEST.PROTOCOL to market1501 or camera_free"
            )
    return protocol


@contextmanager
def _config_errors(key: str) -> Iterator[None]:
    """Turn an error of the evaluation's input into a ``ConfigError`` that names ``key``."""
    try:
        yield
    except EvaluationInputError as error:
        raise ConfigError(f"{key}: {error}") from None


def extract_table(
    cfg: CfgNode,
    model: nn.Module,
    table: ImageTable,
    device: torch.device,
    title: str,
    method: str = "embed",
    sides: Sequence[np.ndarray] = (),
) -> Tensor:
    """Return the embeddings of the table's images as the configuration tests them: float32 (N, D), on the CPU.

    ``method`` and ``sides`` are those of ``extract_features``.
    """
    return extract_features(
        model,
        table,
        Normalize(cfg.INPUT.MEAN, cfg.INPUT.STD),
        device=device,
        batch_size=cfg.TEST.IMS_PER_BATCH,
        workers=cfg.DATALOADER.NUM_WORKERS,
        flip=cfg.TEST.FLIP,
        precision=cfg.SOLVER.PRECISION,
        channels_last=cfg.SOLVER.CHANNELS_LAST,
        title=title,
        method=method,
        sides=sides,
    )
