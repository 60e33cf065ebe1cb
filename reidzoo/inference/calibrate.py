"""Calibrates a trained model on a dataset's test images, and says what that is worth there and elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reidzoo.datasets import Dataset
from reidzoo.engine.build import build_test_table
from reidzoo.engine.evaluate import dataset_ids, extract_table, target_title
from reidzoo.errors import DatasetError, EvaluationInputError
from reidzoo.evaluation.calibration import Calibration
from reidzoo.evaluation.calibration_error import CalibrationError, measure_calibration
from reidzoo.evaluation.fit_calibration import AUTO, fit_calibration
from reidzoo.evaluation.open_set import OpenSet, identify_open_set
from reidzoo.evaluation.pairs import Pairs, sample_pairs
from reidzoo.evaluation.protocols import PROTOCOLS, Labels, Protocol
from reidzoo.evaluation.ranking import build_protocol
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.neighbours.distances import FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.version import __version__

__all__ = ["Calibrated", "calibrate"]

MULTI_SHOT = {"cuhk03": "market1501", "vehicleid": "camera_free"}
"""Single-shot protocol -> the one by which all of its dataset's pairs are judged."""


@dataclass(frozen=True)
class Calibrated:
    """A calibration, and what was measured of it.

    Attributes:
        calibration: fitted to all pairs of the dataset, with the figures below among its facts.
        title: what the dataset is called.
        held_out: the error where the curve and the threshold were fitted to one half of the identities and tried on
            the other, both ways; None where there are too few for that.
        elsewhere: title of another dataset -> the error of ``calibration`` there.
        open_set: whether the right person is found where many are unknown; None where fewer than two have a match.
    """

    calibration: Calibration
    title: str
    held_out: CalibrationError | None
    elsewhere: dict[str, CalibrationError]
    open_set: OpenSet | None


def calibrate(
    model: ReadyModel,
    dataset: Dataset,
    against: Mapping[str, Dataset] | None = None,
    *,
    far: float = 1e-3,
    prior: float = 0.5,
    method: str = AUTO,
    seed: int = 0,
) -> Calibrated:
    """Calibrate a model on pairs of a query and a gallery image of a dataset.

    Which pairs count is what the dataset's protocol says; where it draws galleries, as for CUHK03 and VehicleID, all
    pairs of another camera count, or all. Its identities must not be those that the model was trained on: there it is
    surer than anywhere else. No array of all pairs is made, see ``sample_pairs`` and ``identify_open_set``.

    Args:
        model: to be calibrated.
        dataset: what to fit to.
        against: title -> another dataset, such as one of another domain, to try the calibration on.
        far, prior, method, seed: as ``fit_calibration`` takes them.

    Raises:
        DatasetError: a dataset has no query or gallery, or an image cannot be read.
        EvaluationError: there are too few pairs for the rate that is asked for, or none of a kind.
        UserError: scikit-learn is not installed.
    """
    title = target_title(dataset, ())
    for data in (dataset, *(against or {}).values()):
        for side in ("query", "gallery"):
            if not getattr(data, side):
                raise DatasetError(f"{data.name} has no {side}; pairs are of a query and a gallery image")
    pairs, open_set = _pairs(model, dataset, seed, open_set=True)
    fit: dict[str, Any] = {"prior": prior, "method": method, "seed": seed}
    whole = fit_calibration(pairs, far, **fit)
    held_out = _cross_fitted(pairs, far, {**fit, "method": whole.method})
    elsewhere = {}
    for other, data in (against or {}).items():
        elsewhere[other] = measure_calibration(whole, _pairs(model, data, seed)[0])
    facts = {
        "data": title,
        "identities": len(np.unique(pairs.first[pairs.same])),
        "pairs_of_one_identity": int(pairs.same.sum()),
        "pairs_of_two_identities": int((~pairs.same).sum()),
        "held_out": held_out and held_out.to_dict(),
        "elsewhere": {name: error.to_dict() for name, error in elsewhere.items()},
        "open_set": open_set and _plain(open_set),
        "written_by": f"reidzoo {__version__}",
    }
    kept = Calibration(**{**vars(whole), "facts": facts})
    return Calibrated(kept, title, held_out, elsewhere, open_set)


def _pairs(model: ReadyModel, dataset: Dataset, seed: int, open_set: bool = False) -> tuple[Pairs, OpenSet | None]:
    """Return a dataset's pairs, and the open-set rates if they are wanted and there is who could be found."""
    cfg, sides = model.config, (dataset.query, dataset.gallery)
    tables = []
    for side, records in zip(("query", "gallery"), sides):
        method = f"embed_{side}" if hasattr(model.module, f"embed_{side}") else "embed"
        table = build_test_table(cfg, [record.path for record in records])
        title = f"embedding the {side} of {dataset.name}"
        features = extract_table(cfg, model.module, table, model.device, title, method)
        tables.append(FeatureTable(features, side))
    rules = _protocol(dataset)
    pairs = sample_pairs(tables[0], tables[1], rules, seed=seed)
    try:
        found = identify_open_set(FeatureDistances(tables[0], tables[1]), rules, seed=seed) if open_set else None
    except EvaluationInputError:
        found = None
    return pairs, found


def _protocol(dataset: Dataset) -> Protocol:
    """Return what judges all pairs of a dataset."""
    ids = dataset_ids(dataset)
    name: Any = dataset.protocol
    if isinstance(name, str):
        name = MULTI_SHOT.get(name, name)
    elif name.single_shot:
        name = "camera_free"
    one_camera = len(np.unique(np.concatenate(ids[2:]))) == 1
    if one_camera and (PROTOCOLS[name] if isinstance(name, str) else name).needs_cameras:
        name = "camera_free"  # no file names a camera
    return build_protocol(name, Labels(*ids), 0, None)


def _cross_fitted(pairs: Pairs, far: float, fit: dict[str, Any]) -> CalibrationError | None:
    """Return the error where each half of the identities is judged by what was fitted to the other."""
    halves = pairs.halves(fit["seed"])
    try:
        curves = [fit_calibration(half, far, **fit, draws=1) for half in halves]
        return measure_calibration(curves[0], (curves[0], halves[1]), (curves[1], halves[0]))
    except EvaluationInputError:
        return None


def _plain(found: OpenSet) -> dict[str, Any]:
    """Return the rates as what JSON holds, whose keys are texts."""
    keyed = {key: {f"{rate:g}": x for rate, x in getattr(found, key).items()} for key in ("rates", "thresholds")}
    return {**vars(found), **keyed}
