"""The facts about a model that an exported file carries."""

from __future__ import annotations

import json
from typing import Any

from reidzoo.deployment.plan import ExportPlan
from reidzoo.version import __version__

__all__ = ["metadata_of"]


def metadata_of(plan: ExportPlan, view: str = "") -> dict[str, str]:
    """Return name -> text: how to feed the file, what it is of, and what it reaches; lists and mappings are JSON.

    Args:
        plan: what is written.
        view: of a model of two networks, which one.
    """
    info, inputs = plan.model.info, plan.model.config.INPUT
    facts: dict[str, Any] = {
        "name": plan.stem(view),
        "model": str(info.get("name", "")),
        "model_sha256": str(info.get("sha256", "")),
        "written_by": f"reidzoo {__version__}",
        "precision": plan.precision,
        **plan.feed.describe(),
        "interpolation": plan.model.interpolation,
        "model_size": list(plan.model.size),
        "model_mean": list(inputs.MEAN),
        "model_std": list(inputs.STD),
        "embedding_dim": plan.model.embedding_dim,
        "normalised_embeddings": _is_normalised(plan, view),
        "metric": plan.model.config.TEST.METRIC,
        "licence": str(info.get("licence", "not stated")),
        "data": str(info.get("data", "not stated")),
        "metrics": info.get("metrics", {}),
    }
    if plan.model.calibration:
        facts["same_identity_from_cosine"] = plan.model.calibration.threshold
        facts["at_false_accept_rate"] = plan.model.calibration.far
    if view:
        facts["view"] = view
    if plan.consumer:
        facts |= plan.consumer.facts()
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}


def _is_normalised(plan: ExportPlan, view: str) -> bool:
    return not view or plan.model.config.TEST.FLIP or getattr(plan.model.module, "normalise", True)
