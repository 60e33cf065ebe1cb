"""Reads and writes model files, each a whole embedding model: weights, configuration and origin in one file.

It is a ``.safetensors`` file, so reading it runs no code. Its metadata key ``reidzoo`` holds JSON::

    {"format": 1, "config": {"MODEL": ..., "BACKBONE": ..., "HEAD": ..., "INPUT": ..., "TEST": ...}, "info": {...},
     "checksums": {"header": ..., "tensors": {...}}}

The checksums are CRC-32, of ``[config, info]`` in JSON and of each tensor's bytes; older files have none.
``config["INPUT"]`` is the preprocessing; a file without it is refused, since preprocessing is never guessed.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from reidzoo.errors import WeightsError
from reidzoo.files import write_whole
from reidzoo.weights.checksums import checksums
from reidzoo.weights.loading import is_safetensors
from reidzoo.weights.safetensors_file import KEY, read_metadata, read_safetensors

__all__ = ["PREPROCESSING", "ModelFile", "half", "header_if_any", "read_header", "read_model_file", "write_model_file"]

FORMAT = 1
NEEDED = ("MODEL", "BACKBONE", "HEAD", "INPUT")
"""The nodes without which a model cannot be built and fed."""
PREPROCESSING = ("SIZE", "MEAN", "STD", "INTERPOLATION")


@dataclass(frozen=True)
class ModelFile:
    """The content of a model file.

    Attributes:
        state: name -> tensor, on the CPU, named as the model's modules are, without the classifier.
        config: plain nested configuration.
        info: name, source, licence, commit, command, seed, metrics, ...: free strings, numbers and mappings of them.
    """

    state: dict[str, Tensor]
    config: dict[str, Any]
    info: dict[str, Any]


def write_model_file(
    path: str | os.PathLike[str], state: Mapping[str, Tensor], config: Mapping[str, Any], info: Mapping[str, Any]
) -> None:
    """Write a model file, whole or not at all; equal arguments give equal bytes.

    Args:
        path: the file, ``*.safetensors``; its folder is made.
        state: name -> tensor; floating tensors may be float16.
        config: nested configuration, a ``CfgNode`` or plain; MODEL, BACKBONE, HEAD and INPUT are needed.
        info: anything that JSON can hold.

    Raises:
        WeightsError: the path's suffix, or what ``config`` lacks.
        ValueError: a number that is not finite.
        TypeError: a value that JSON cannot hold.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise WeightsError(f"{path}: a model file's name ends in .safetensors")
    if not state:
        raise WeightsError(f"{path}: a model file without tensors")
    _check_config(config, path)
    # safetensors refuses tensors that share memory, such as tied weights and views.
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}
    header = {
        "format": FORMAT,
        "config": config,
        "info": info,
        "checksums": {"header": _header_checksum(config, info), "tensors": checksums(tensors)},
    }
    data = save(tensors, {KEY: _dumps(header)})
    with write_whole(path) as file:
        file.write(data)


def read_model_file(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file.

    Raises:
        WeightsError: it is missing, damaged, not a model file, of a newer format, or lacks a node it needs.
    """
    return _model_file(Path(path), *read_safetensors(Path(path)))


def read_header(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file's configuration and information, without its tensors.

    Raises:
        WeightsError: as ``read_model_file``.
    """
    return _model_file(Path(path), read_metadata(Path(path)), {})


def header_if_any(path: str | os.PathLike[str]) -> ModelFile | None:
    """Return the result of ``read_header``, or None for a file of another kind, such as a checkpoint.

    Raises:
        WeightsError: a model file that is damaged.
    """
    if not is_safetensors(path):
        return None
    return read_header(path) if KEY in read_metadata(Path(path)) else None


def _model_file(path: Path, metadata: Mapping[str, str], state: dict[str, Tensor]) -> ModelFile:
    header = _parse(metadata.get(KEY), path)
    _check_config(header["config"], path)
    return ModelFile(state, header["config"], header["info"])


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _header_checksum(config: Any, info: Any) -> int:
    return zlib.crc32(_dumps([config, info]).encode())


def _parse(text: str | None, path: Path) -> dict[str, Any]:
    if text is None:
        raise WeightsError(
            f"{path} holds weights only, not the configuration to build and feed a model (metadata {KEY!r}); give its "
            f"configuration with --config-file, or convert another toolkit's with `reidzoo convert`"
        )
    try:
        header = json.loads(text)
        _dumps(header).encode()  # NaN and half a surrogate are read, and not written
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its metadata {KEY!r} is not JSON: {error}") from None
    number = header.get("format") if isinstance(header, dict) else None
    if not isinstance(number, int) or number < 1:
        raise WeightsError(f"{path}: its metadata {KEY!r} has no format number")
    if number > FORMAT:
        raise WeightsError(
            f"{path} has format {number}, this reidzoo reads {FORMAT}: it was written by a newer one; update"
        )
    for key in ("config", "info"):
        if not isinstance(header.get(key), dict):
            raise WeightsError(f"{path}: its metadata {KEY!r} has no mapping {key!r}")
    sums = header.get("checksums")
    expected = sums.get("header") if isinstance(sums, dict) else None
    if expected is not None and expected != _header_checksum(header["config"], header["info"]):
        raise WeightsError(f"{path} is damaged: its configuration is not what was written; take another copy of it")
    return header


def _check_config(config: Mapping[str, Any], path: Path) -> None:
    lacking = [key for key in NEEDED if not isinstance(config.get(key), Mapping)]
    if not lacking:
        lacking = [f"INPUT.{key}" for key in PREPROCESSING if config["INPUT"].get(key) is None]
    if lacking:
        raise WeightsError(
            f"{path}: its configuration lacks {', '.join(lacking)}; how a model is built and its images prepared "
            f"travels with the weights and is not guessed"
        )


def half(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state with its floating tensors as float16.

    Raises:
        WeightsError: a number does not fit into float16 (65504 at most).
    """
    halved = {}
    for name, tensor in state.items():
        halved[name] = tensor.to(torch.float16) if tensor.is_floating_point() else tensor
        if not torch.isfinite(halved[name]).all() and torch.isfinite(tensor).all():
            raise WeightsError(f"{name} holds numbers too large for float16; keep it in float32")
    return halved
