"""The folder of Roboflow's package ``reid``: ``reid_config.json`` and ``weights.safetensors``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidzoo.errors import WeightsError

__all__ = ["read_reid_folder"]

CONFIG, WEIGHTS = "reid_config.json", "weights.safetensors"
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")


def read_reid_folder(folder: Path) -> tuple[Path, dict[str, str], dict[str, Any]]:
    """Return the file of weights, the options of the conversion, and the keys of INPUT that the folder states.

    A file is taken for the weights alone, of which the family's usual preprocessing is assumed.

    Raises:
        WeightsError: the folder is damaged, or its model's preprocessing is one that no model here has.
    """
    if not folder.is_dir():
        return folder, {}, {}
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from None
    if not isinstance(config, Mapping) or not isinstance(config.get("architecture"), str):
        raise WeightsError(f"{path} names no architecture")
    if not config["architecture"].startswith("osnet_"):
        raise WeightsError(
            f"{path}: its model is {config['architecture']}; what is converted are OSNets, and none of reidzoo's "
            f"backbones has the names of a timm model or of a ResNeSt"
        )
    if not (folder / WEIGHTS).is_file():
        raise WeightsError(f"{folder} has no {WEIGHTS}")
    stated = config.get("preprocessing") or {}
    return folder / WEIGHTS, {"size": _size(stated, path)}, _inputs(stated, path)


def _size(stated: Mapping[str, Any], path: Path) -> str:
    size = stated.get("input_size", (256, 128))
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(type(n) is int and n > 0 for n in size):
        raise WeightsError(f"{path}: input_size is height and width, got {size!r}")
    return f"{size[0]}x{size[1]}"


def _inputs(stated: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return INTERPOLATION, MEAN and STD."""
    if stated.get("resize_mode", "stretch") != "stretch":
        raise WeightsError(
            f"{path}: its images are resized by {stated['resize_mode']}, with bars; models here are fed stretched "
            f"images, and would embed others than it was trained for"
        )
    if not stated.get("to_rgb", True):
        raise WeightsError(f"{path}: its model takes BGR (to_rgb is false); models here take RGB")
    interpolation = stated.get("interpolation", "bilinear")
    if interpolation not in INTERPOLATIONS:
        raise WeightsError(f"{path}: there is no interpolation {interpolation!r} ({', '.join(INTERPOLATIONS)})")
    inputs: dict[str, Any] = {"INTERPOLATION": interpolation}
    for key, name in (("MEAN", "mean"), ("STD", "std")):
        values = stated.get(name)
        if values is not None:
            if not isinstance(values, list) or len(values) != 3 or not all(type(v) in (int, float) for v in values):
                raise WeightsError(f"{path}: {name} is three numbers, got {values!r}")
            inputs[key] = [float(value) for value in values]
    return inputs
