"""Loads a trained model by its name or path, ready to embed images."""

from __future__ import annotations

import os
from typing import Any

from reidzoo.checks import PATH, Rule, check
from reidzoo.engine.build import load_embedder, pick_device
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.runs.find_model import TrainedModel, find_model
from reidzoo.weights.cache import sha256_of
from reidzoo.weights.model_file import header_if_any
from reidzoo.zoo.index import register_index

__all__ = ["load", "make_ready"]

MODEL = Rule("a model's name or a path", PATH.accepts)


def load(
    what: str | os.PathLike[str],
    *,
    index: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    stage: str = "",
    trust: bool = False,
) -> ReadyModel:
    """Load a trained model, ready to embed images.

    Args:
        what: the name of a model of the zoo (``domainmix_mini`` or ``zoo://domainmix_mini``), a model file
            (``.safetensors``), a run's folder, or a run's checkpoint. A name goes before a file of the same name; write
            ``./NAME`` for the file.
        index: a further index to look the name up in, a YAML file or an address; see ``register_index``.
        device: ``cpu``, ``cuda``, ``cuda:1`` or the like, ``mps``, or ``auto``.
        stage: for a run's folder, the stage whose model is loaded; "" for the last.
        trust: whether the plug-ins and dotted types that the model file, or the ``config.yml`` of the run, names may be
            imported, which runs their code. Those of this package's projects need no trust.

    Raises:
        WeightsError: there is no such model, it cannot be had, or its weights do not fit it strictly.
        ConfigError: its configuration is wrong, needs a plug-in that is not here, or one that takes ``trust``; or there
            is no such device.
    """
    check("reidzoo.load", MODEL, what=what)
    if index is not None:
        register_index(index)
    model = find_model(weights=what, stage=stage, trust=trust)
    return make_ready(model, device, str(model.weights.resolve()) if os.path.exists(what) else os.fspath(what))


def make_ready(model: TrainedModel, device: str = "cpu", found_by: str = "") -> ReadyModel:
    """Return a model that was found, ready to embed images, with what is known about it.

    Args:
        model: what ``find_model`` returned.
        device: ``cpu``, ``cuda`` or ``auto``.
        found_by: what ``load`` finds it by.
    """
    module = load_embedder(model.cfg, model.weights, tuple(model.cfg.WEIGHTS_IGNORE))
    return ReadyModel(module, model.cfg, _info(model), pick_device(device), found_by)


def _info(model: TrainedModel) -> dict[str, Any]:
    """Return the facts about a model that its file holds, or its run."""
    header = header_if_any(model.weights)
    if header:
        return {"name": model.name, "sha256": sha256_of(model.weights), **header.info}
    sha256 = sha256_of(model.weights)
    info = {"name": model.name, "checkpoint": str(model.weights), "sha256": sha256}
    if model.run is None:
        return info
    stage = model.run.stage(model.stage)
    info["name"] = model.run.path.resolve().name
    measured = {"metrics": stage.read_results(), "calibration": stage.read_calibration(sha256)}
    return info | {key: value for key, value in measured.items() if value}
