"""Exports the model of a finished run as a model file, with a sidecar that records its origin."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from reidzoo.engine.build import build_model, pick_device
from reidzoo.engine.evaluate import evaluate_targets
from reidzoo.errors import UserError, WeightsError
from reidzoo.files import write_text
from reidzoo.inference.load import load
from reidzoo.publishing.describe import describe_backbone
from reidzoo.publishing.finished_run import FinishedRun
from reidzoo.publishing.portable_config import embedding_state, portable_config
from reidzoo.weights.cache import sha256_of
from reidzoo.weights.loading import safe_read
from reidzoo.weights.model_file import half, write_model_file

__all__ = ["LIMIT", "export_model"]

LIMIT = 3_000_000
"""Most bytes that a model in the repository may have."""
TOLERANCE = 0.001
"""Largest difference of the kept model's mAP from the run's: 0.1 percentage points."""
LICENCE = "Apache-2.0"


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
) -> dict[str, Any]:
    """Write ``into/NAME.safetensors`` and its sidecar ``into/NAME.yml``, and return the sidecar's content.

    With ``halve`` the weights are kept as float16 if that changes no mAP by more than 0.1 percentage points. The kept
    file is loaded as a user would, and tested on the run's targets: these figures are ``kept_metrics``.

    Args:
        folder: the run's OUTPUT_DIR.
        name: the model's name.
        into: the folder of the model files.
        repository: where plug-ins and configuration files lie.
        stage: the stage whose model is kept; "" for the last.
        halve: whether float16 is tried.
        dirty: whether a run of uncommitted code may be kept; the sidecar says so.
        trust: whether the plug-ins and dotted types that the run's ``config.yml`` names may be imported.

    Raises:
        UserError: the run is not finished, of uncommitted code, not reproduced by its weights, or too large.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UserError(f"--name {name}: a model's name is made of letters, digits, _ and -")
    run = FinishedRun.read(folder, stage, repository, trust)
    if run.uncommitted != "none" and not dirty:
        why = f"was made with uncommitted code ({run.uncommitted})"
        if run.uncommitted == "unknown":
            why = "does not say whether its code was committed (environment.json has no 'uncommitted')"
        raise UserError(f"the run {folder} {why}; run it again from a commit, or keep it with --allow-dirty")
    module = build_model(run.cfg, num_classes=0, initialise=False)
    config = portable_config(run.cfg, module, repository)
    state = embedding_state(safe_read(run.weights)["parts"]["model"], module, str(run.weights))
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=f".{name}.") as work:
        part = Path(work) / f"{name}.safetensors"
        dtype, kept_metrics, notes = _keep(part, state, config, _info(name, run), run, halve)
        sidecar = {
            **_info(name, run),
            "backbone": describe_backbone(run.cfg),
            "dtype": dtype,
            "kept_metrics": kept_metrics,
            "notes": notes,
            "size": part.stat().st_size,
            "sha256": sha256_of(part),
        }
        os.replace(part, into / part.name)
    write_text(into / f"{name}.yml", yaml.safe_dump(sidecar, sort_keys=False, width=120, allow_unicode=True))
    return sidecar


def _info(name: str, run: FinishedRun) -> dict[str, Any]:
    """Return the model's origin as the file records it; the sidecar repeats it."""
    versions = {key: run.environment[key] for key in ("reidzoo", "python", "torch", "numpy")}
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
        "licence": LICENCE,
    }


def _keep(
    path: Path, state: Mapping[str, Tensor], config: Mapping, info: Mapping, run: FinishedRun, halve: bool
) -> tuple[str, dict[str, dict[str, float]], str]:
    """Write the model in the smallest dtype that keeps its mAP; return the dtype, its metrics, and what was tried."""
    notes = ""
    if halve:
        try:
            halved = half(state)
        except WeightsError as error:
            notes = f"no float16: {error}"
        else:
            kept_metrics = _write_and_test(path, halved, config, info, run)
            if (worst := _largest_change(run.metrics, kept_metrics)) <= TOLERANCE:
                return "float16", kept_metrics, notes
            notes = f"float16 changes the mAP by {100 * worst:.2f} percentage points"
    kept_metrics = _write_and_test(path, state, config, info, run, notes)
    if (worst := _largest_change(run.metrics, kept_metrics)) > TOLERANCE:
        raise UserError(
            f"the run's own weights give another mAP now, by {100 * worst:.2f} percentage points, than its results "
            f"says: are the data and the code still what they were?"
        )
    return "float32", kept_metrics, notes


def _write_and_test(
    path: Path, state: Mapping[str, Tensor], config: Mapping, info: Mapping, run: FinishedRun, notes: str = ""
) -> dict[str, dict[str, float]]:
    write_model_file(path, state, config, info)
    if (size := path.stat().st_size) > LIMIT:
        why = f" ({notes})" if notes else ""
        raise UserError(f"the model has {size:,} bytes, and a model that is kept has at most {LIMIT:,}{why}")
    device = pick_device("auto")
    return evaluate_targets(run.cfg, load(path, device=str(device), trust=run.trust).module, device)


def _largest_change(before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]) -> float:
    if set(before) != set(after):
        raise UserError(
            f"the run was tested on {', '.join(before)}, but now there are {', '.join(after)}: are real and rendered "
            f"data mixed?"
        )
    return max(abs(before[target]["mAP"] - after[target]["mAP"]) for target in before)
