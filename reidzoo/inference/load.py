"""From a name or a path to a model that is ready to embed images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import load_embedder, pick_device
from reidzoo.engine.checkpoint import FINAL
from reidzoo.errors import WeightsError
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.weights.cache import sha256_of
from reidzoo.weights.loading import is_safetensors
from reidzoo.weights.model_file import read_header
from reidzoo.zoo.index import entry, list_models, register_index
from reidzoo.zoo.lookup import locate, plain_name

__all__ = ["load"]

CONFIG, RESULTS = "config.yml", "results.json"


def load(
    what: str | os.PathLike[str],
    *,
    index: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    stage: str = "",
) -> ReadyModel:
    """Load a trained model, ready to embed images.

    Args:
        what: the name of a model of the zoo (``domainmix_mini`` or ``zoo://domainmix_mini``), a model file
            (``.safetensors``), a run's folder, or a run's checkpoint. A name goes before a file of the same name; write
            ``./NAME`` for the file.
        index: a further index to look the name up in, a YAML file or an address; see `register_index`.
        device: ``cpu``, ``cuda`` or ``auto``.
        stage: of a run's folder, whose model; "" for the last stage's.

    Raises:
        WeightsError: there is no such model, it cannot be had, or its weights do not fit it strictly.
        ConfigError: its configuration is wrong, or needs a plug-in that is not here.
    """
    if index is not None:
        register_index(index)
    text = os.fspath(what)
    if text.startswith("zoo:") or text in list_models():
        model = _from_model_file(locate(text), device)
        model.info.setdefault("name", plain_name(text))
        return model
    path = Path(text)
    if path.is_dir():
        return _from_run(path, stage, device)
    if not path.is_file():
        if os.sep in text or "/" in text or path.suffix:
            raise WeightsError(f"no such model file, checkpoint or run: {text}")
        entry(text)  # says which names there are
    if is_safetensors(path):
        return _from_model_file(path, device)
    return _from_checkpoint(path, device)


def _from_model_file(path: Path, device: str) -> ReadyModel:
    cfg, info = load_config(path), dict(read_header(path).info)
    return ReadyModel(load_embedder(cfg, path), cfg, info, pick_device(device))


def _from_checkpoint(path: Path, device: str) -> ReadyModel:
    """Load ``RUN/model_final.pth`` or ``RUN/STAGE/model_final.pth``."""
    folder = path.resolve().parent
    if (folder / CONFIG).is_file():
        return _from_run(folder, "", device, path)
    if (folder.parent / CONFIG).is_file():
        return _from_run(folder.parent, folder.name, device, path)
    raise WeightsError(
        f"{path}: there is no {CONFIG} beside it or above it to say how the model is built; load the run's folder, or "
        f"make a model file of it (tools/export_model.py, or tools/convert_weights.py for another toolkit's)"
    )


def _from_run(folder: Path, stage: str, device: str, path: Path | None = None) -> ReadyModel:
    if not (folder / CONFIG).is_file():
        raise WeightsError(f"{folder} is not the folder of a run: it has no {CONFIG}")
    cfg = load_config(folder / CONFIG)
    stages = stage_configs(cfg)
    stage = stage or list(stages)[-1]
    if stage not in stages:
        raise WeightsError(f"{folder}: there is no stage {stage!r}; the stages are {', '.join(stages)}")
    path = path or (folder / stage / FINAL if cfg.STAGES else folder / FINAL)
    if not path.is_file():
        raise WeightsError(f"{folder}: there is no checkpoint {path}; is the run finished?")
    info: dict[str, Any] = {"name": folder.resolve().name, "checkpoint": str(path), "sha256": sha256_of(path)}
    results = path.parent / RESULTS
    if results.is_file():
        info["metrics"] = json.loads(results.read_text(encoding="utf-8"))
    own = stages[stage]
    return ReadyModel(load_embedder(own, path, tuple(own.WEIGHTS_IGNORE)), own, info, pick_device(device))
