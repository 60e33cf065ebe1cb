"""Exports the model of a finished run as a model file, with a sidecar that records its origin."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch import Tensor

from reidzoo.checks import MODEL_NAME
from reidzoo.engine.build import build_model, pick_device
from reidzoo.engine.evaluate import check_evaluation, rank_dataset
from reidzoo.errors import UserError, WeightsError
from reidzoo.evaluation import RankingResult
from reidzoo.evaluation.intervals import bootstrap_interval, wilson_interval
from reidzoo.files import write_text
from reidzoo.inference.load import load
from reidzoo.publishing.describe import describe_backbone
from reidzoo.publishing.finished_run import FinishedRun
from reidzoo.publishing.model_card import model_card
from reidzoo.publishing.portable_config import embedding_state, portable_config
from reidzoo.weights.cache import sha256_of
from reidzoo.weights.loading import safe_read
from reidzoo.weights.model_file import half, write_model_file

__all__ = ["LIMIT", "export_model"]

LIMIT = 10_000_000
"""Most bytes that a model in the repository's own zoo may have; other folders have no limit."""
TOLERANCE = 0.001
"""Largest difference of the kept model's mAP from the run's: 0.1 percentage points."""
Tested = dict[str, tuple[dict[str, float], dict[str, Any]]]
"""Target -> its figures, and their intervals."""
LICENCE = "Apache-2.0"
"""Of the models in the repository's own zoo; the licence of other people's models is theirs to state."""


def export_model(
    folder: Path,
    name: str,
    into: Path,
    *,
    repository: Path,
    stage: str = "",
    halve: bool = True,
    dirty: bool = False,
    trust: bool = False,
    licence: str = "",
    code_version: str = "",
) -> dict[str, Any]:
    """Write ``into/NAME.safetensors``, its sidecar and its card, and return what the sidecar says.

    With ``halve`` the weights are kept as float16 if that changes no mAP by more than 0.1 percentage points. The kept
    file is loaded as a user would, and tested on the run's targets: these figures are ``kept_metrics``. The file, not
    the sidecar, also holds what ``reidzoo calibrate`` found of the run.

    Args:
        folder: the run's OUTPUT_DIR.
        name: the model's name.
        into: the folder of the model files.
        repository: where plug-ins and configuration files lie.
        stage: the stage whose model is kept; "" for the last.
        halve: whether float16 is tried.
        dirty: whether a run of uncommitted code may be kept; the sidecar says so.
        trust: whether the plug-ins and dotted types that the run's ``config.yml`` names may be imported.
        licence: of the weights; "" for "not stated", and for ours in the repository's zoo.
        code_version: of the user's own code, such as a commit; "" where there is none.

    Raises:
        UserError: the run is not finished, of uncommitted code, not reproduced by its weights, or too large.
    """
    if not MODEL_NAME.accepts(name):
        raise UserError(f"--name {name}: a model's name is {MODEL_NAME.expected}")
    run = FinishedRun.read(folder, stage, repository, trust)
    if not dirty:
        _check_committed(run, folder)
    module = build_model(run.cfg, num_classes=0, initialise=False)
    config = portable_config(run.cfg, module, repository)
    state = embedding_state(safe_read(run.weights)["parts"]["model"], module, str(run.weights))
    into.mkdir(parents=True, exist_ok=True)
    ours = into.resolve() == (repository / "zoo").resolve()
    info = _info(name, run, licence or (LICENCE if ours else "not stated"), code_version)
    with tempfile.TemporaryDirectory(dir=into, prefix=f".{name}.") as work:
        part = Path(work) / f"{name}.safetensors"
        held = {**info, **({"calibration": run.calibration} if run.calibration else {})}
        dtype, tested, notes = _keep(part, state, config, held, run, halve, LIMIT if ours else None)
        sidecar = {
            **info,
            "backbone": describe_backbone(run.cfg),
            "dtype": dtype,
            "kept_metrics": _figures(tested),
            "intervals": {target: intervals for target, (_, intervals) in tested.items()},
            "notes": notes,
            "size": part.stat().st_size,
            "sha256": sha256_of(part),
        }
        os.replace(part, into / part.name)
    write_text(into / f"{name}.yml", yaml.safe_dump(sidecar, sort_keys=False, width=120, allow_unicode=True))
    write_text(into / f"{name}.md", model_card(sidecar, run.cfg))
    return sidecar


def _check_committed(run: FinishedRun, folder: Path) -> None:
    """Raise UserError for a run of uncommitted code, or of code that nothing is known of."""
    if run.uncommitted == "none":
        return
    why = f"was made with uncommitted code ({run.uncommitted})"
    if run.uncommitted == "unknown":
        why = "was made outside a checkout, or by an older reidzoo, and does not say whether its code was committed"
    raise UserError(f"the run {folder} {why}; keep it with --allow-dirty, or run it again from a commit")


def _info(name: str, run: FinishedRun, licence: str, code_version: str) -> dict[str, Any]:
    """Return the model's origin as the file records it; the sidecar repeats it."""
    versions = {key: run.environment[key] for key in ("reidzoo", "python", "torch", "numpy")}
    own = {"code_version": code_version} if code_version else {}
    return {
        "name": name,
        "config": run.config_file,
        "config_sha256": run.config_sha256,
        "stage": run.stage,
        "data": run.data,
        "seed": run.cfg.SEED,
        "command": run.command,
        "commit": run.environment["commit"],
        "uncommitted": run.uncommitted,
        "versions": versions,
        "device": run.environment["device"],
        "metrics": run.metrics,
        "source": "measured here",
        "licence": licence,
        **own,
    }


def _keep(
    path: Path,
    state: Mapping[str, Tensor],
    config: Mapping,
    info: Mapping,
    run: FinishedRun,
    halve: bool,
    limit: int | None,
) -> tuple[str, Tested, str]:
    """Write the model in the smallest dtype that keeps its mAP; return the dtype, its figures, and what was tried."""
    notes = ""
    if halve:
        try:
            halved = half(state)
        except WeightsError as error:
            notes = f"no float16: {error}"
        else:
            tested = _write_and_test(path, halved, config, info, run, limit)
            if (worst := _largest_change(run.metrics, _figures(tested))) <= TOLERANCE:
                return "float16", tested, notes
            notes = f"float16 changes the mAP by {100 * worst:.2f} percentage points"
    tested = _write_and_test(path, state, config, info, run, limit, notes)
    if (worst := _largest_change(run.metrics, _figures(tested))) > TOLERANCE:
        raise UserError(
            f"the run's own weights give another mAP now, by {100 * worst:.2f} percentage points, than its results "
            f"says: are the data and the code still what they were?"
        )
    return "float32", tested, notes


def _figures(tested: Tested) -> dict[str, dict[str, float]]:
    return {target: figures for target, (figures, _) in tested.items()}


def _write_and_test(
    path: Path,
    state: Mapping[str, Tensor],
    config: Mapping,
    info: Mapping,
    run: FinishedRun,
    limit: int | None,
    notes: str = "",
) -> Tested:
    write_model_file(path, state, config, info)
    if limit is not None and (size := path.stat().st_size) > limit:
        why = f" ({notes})" if notes else ""
        raise UserError(
            f"the model has {size:,} bytes, and one in the repository's zoo has at most {limit:,}{why}; keep it in a "
            f"folder of your own with --output-dir"
        )
    device = pick_device("auto")
    module = load(path, device=str(device), trust=run.trust).module
    tested: Tested = {}
    for title, dataset in check_evaluation(run.cfg).items():
        result = rank_dataset(run.cfg, module, dataset, device)
        tested[title] = (result.figures(), _intervals(result, [record.pid for record in dataset.query]))
    return tested


def _intervals(result: RankingResult, pids: list[int]) -> dict[str, Any]:
    """Return the number of queries, and 95 % intervals of the figures; nothing where a protocol draws its queries."""
    if len(result.per_query_ap) != len(pids) or result.trials > 1:
        return {}
    count = result.num_valid_queries
    return {
        "queries": count,
        "mAP": [round(end, 5) for end in bootstrap_interval(result.per_query_ap, np.array(pids))],
        "rank-1": [round(end, 5) for end in wilson_interval(float(result.cmc[0]), count)],
    }


def _largest_change(before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]) -> float:
    if set(before) != set(after):
        raise UserError(
            f"the run was tested on {', '.join(before)}, but now there are {', '.join(after)}: are real and rendered "
            f"data mixed?"
        )
    return max(abs(before[target]["mAP"] - after[target]["mAP"]) for target in before)
