"""Retrieval evaluation: streaming exact ranking measures, protocols, re-ranking and query expansion."""

from __future__ import annotations

from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.calibration import Calibration
from reidzoo.evaluation.linear_probe import linear_probe, probe_split
from reidzoo.evaluation.protocols import PROTOCOLS, Judgement, Labels, Protocol
from reidzoo.evaluation.query_expansion import average_query_expansion
from reidzoo.evaluation.rank_lists import Mark, RankLists, rank_lists
from reidzoo.evaluation.ranking import evaluate_distances, evaluate_ranking
from reidzoo.evaluation.ranking_result import RankingResult
from reidzoo.evaluation.rerank import KReciprocal, rerank_k_reciprocal
from reidzoo.evaluation.roc import RocCurve

__all__ = [
    "PROTOCOLS",
    "Calibration",
    "EvaluationInputError",
    "Judgement",
    "KReciprocal",
    "Labels",
    "Mark",
    "Protocol",
    "RankLists",
    "RankingResult",
    "RocCurve",
    "average_query_expansion",
    "evaluate_distances",
    "evaluate_ranking",
    "linear_probe",
    "probe_split",
    "rank_lists",
    "rerank_k_reciprocal",
]
