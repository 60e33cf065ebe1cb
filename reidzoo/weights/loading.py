"""Reads weight files without running code, and loads them strictly."""

from __future__ import annotations

import fnmatch
import io
import os
import pickle
import re
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from reidzoo.checks import MODEL_NAME
from reidzoo.errors import ConfigError, UnknownModelError, WeightsError
from reidzoo.registry import SCHEME
from reidzoo.weights.cache import checked_content
from reidzoo.weights.checksums import read_archive_checksums
from reidzoo.weights.first_names import SHOWN, first_names
from reidzoo.weights.safetensors_file import read_safetensors

__all__ = [
    "CLASSIFIERS", "check_finite", "is_safetensors", "load_weights", "local_file", "map_torchvision", "safe_read",
    "unwrap_state",
]  # fmt: skip

CLASSIFIERS = ("head.classifier.*", "*.head.classifier.*")
"""Patterns of the weights that training needs and embedding does not: one row for each training identity."""
KeyMap = Mapping[str, "str | None"] | Callable[[str], "str | None"]
_WRAPPERS = ("parts", "state_dict", "model", "teacher")


def local_file(path: str | os.PathLike[str]) -> Path:
    """Return the file that a name of weights stands for.

    The name is, in this order: ``SCHEME://NAME``, such as ``zoo://domainmix_mini``; the name of a model of the zoo
    without its scheme (write ``./NAME`` for a file of that name); a model file, a checkpoint or any weight file; the
    folder of a run, or of one of its stages, which means its final checkpoint.

    Raises:
        WeightsError: there is no such file or model, it cannot be had, or it is a web page or a pointer of Git LFS.
    """
    found = _find(os.fspath(path))
    _refuse_other_files(found)
    return found


def _find(text: str) -> Path:
    scheme, separator, name = text.partition("://")
    if separator:
        return _scheme(scheme, text)(name)
    unknown = None
    if MODEL_NAME.accepts(text):  # a path has a slash or a dot
        try:
            return SCHEME.get("zoo")(text)
        except UnknownModelError as error:
            unknown = error
    if os.path.isfile(text):
        return Path(text)
    if os.path.isdir(text):
        return SCHEME.get("run")(text)
    raise unknown or WeightsError(f"no such weight file, checkpoint or run: {text}")


def _scheme(name: str, text: str) -> Callable[[str], Path]:
    if not MODEL_NAME.accepts(name):  # a dotted one would be imported and called, and the word may be from a file
        raise WeightsError(f"{text}: {name!r} is not the name of a scheme, such as zoo://")
    try:
        return SCHEME.get(name)
    except ConfigError as error:
        raise WeightsError(f"{text}: {error}") from None


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is of safetensors' format by its name, or by its start: a header's length, then JSON."""
    if Path(path).suffix == ".safetensors":
        return True
    with open(path, "rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < os.path.getsize(path)


def safe_read(path: str | os.PathLike[str]) -> Any:
    """Read a weight file or checkpoint without running any code that it might hold.

    Tensors come to the CPU. Besides what ``torch.load(weights_only=True)`` knows, plain numpy numbers are read: several
    published re-identification checkpoints keep their best mAP as one.

    Args:
        path: a ``torch.save`` file, a ``.safetensors`` file, or the ``zoo://NAME`` of a published model.

    Raises:
        WeightsError: the file is missing, damaged (where it has checksums, the message names the tensors), or contains
            Python objects besides tensors and numbers.
    """
    path = local_file(path)
    if is_safetensors(path):
        return read_safetensors(path)[1]
    try:
        checked = checked_content(path)
        sums = read_archive_checksums(path if checked is None else io.BytesIO(checked), str(path))
        with torch.serialization.safe_globals(_numpy_numbers()):
            file = path if checked is None else io.BytesIO(checked)
            content = torch.load(file, map_location="cpu", weights_only=True)
        if sums is not None:
            sums.check(content)
        return content
    except WeightsError:
        raise
    except Exception as error:  # a damaged file fails in a dozen ways, from KeyError to RuntimeError
        refused = re.search(r"\bGLOBAL ([\w.]+)", str(error))
        if refused:
            raise WeightsError(
                f"{path} contains Python objects besides tensors ({refused[1]}); refused, because reading "
                f"them can run code. Save the state dict alone and load that."
            ) from None
        raise WeightsError(
            f"{path} is not a readable weight file (truncated, or another format?): {_reason(path, error)}"
        ) from error


def _reason(path: Path, error: Exception) -> str:
    """Return why torch could not read a file, without its advice to read it unsafely."""
    if not path.stat().st_size:
        return "it is empty"
    text = str(error).strip()
    if "weights_only" in text or isinstance(error, LookupError):  # what met bytes that it has no operation for
        return "it is not a file that torch.save wrote"
    return text.partition("\n")[0][:200] or type(error).__name__


def _refuse_other_files(path: Path) -> None:
    """Raise WeightsError for what is often brought in the place of a weight file."""
    with open(path, "rb") as file:
        start = file.read(200)
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a pointer of Git LFS, not the weights themselves; get them with 'git lfs pull'")
    if re.match(rb"\s*<(!doctype|html|head|body|\?xml|!--)", start, re.IGNORECASE):
        raise WeightsError(f"{path} is a web page, not a weight file; download the file that the page links to")


def _numpy_numbers() -> list[Any]:
    """Return the functions that unpickling a numpy number calls, under the names of numpy 1 and of numpy 2."""
    unpickle = np.float64(0).__reduce__()[0]

    def number(dtype: np.dtype, data: bytes) -> Any:
        if not isinstance(dtype, np.dtype) or dtype.kind not in "fiub":
            raise pickle.UnpicklingError(f"a numpy scalar of type {dtype}")
        return unpickle(dtype, data)

    names = []
    for core in ("core", "_core"):
        alias = types.FunctionType(number.__code__, number.__globals__, "scalar", None, number.__closure__)
        alias.__module__, alias.__qualname__ = f"numpy.{core}.multiarray", "scalar"
        names.append(alias)
    return [*names, np.dtype, *(type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "?"))]


def unwrap_state(content: Any, where: str = "the file") -> dict[str, torch.Tensor]:
    """Return the state dict within the content of a file.

    Unwrapped are ``{"state_dict": ...}``, ``{"model": ...}``, a self-supervised training's ``{"teacher": ...}`` and a
    checkpoint's ``{"parts": {"model": ...}}``; the prefix ``module.`` of (Distributed)DataParallel is taken off when
    every key has it.

    Args:
        content: what ``safe_read`` returned.
        where: how an error calls it.

    Raises:
        WeightsError: there is no state dict in it.
    """
    state = content
    while isinstance(state, Mapping):
        inner = next((state[key] for key in _WRAPPERS if isinstance(state.get(key), Mapping)), None)
        if inner is None:
            break
        state = inner
    if (
        not isinstance(state, Mapping)
        or not state
        or not all(isinstance(value, torch.Tensor) for value in state.values())
    ):
        summary = ", ".join(map(str, list(state)[:SHOWN])) if isinstance(state, Mapping) else type(state).__name__
        raise WeightsError(f"{where} holds no state dict (names and tensors); found: {summary or 'nothing'}")
    if all(key.startswith("module.") for key in state):
        return {key.removeprefix("module."): value for key, value in state.items()}
    return dict(state)


def load_weights(
    module: nn.Module,
    path_or_state: str | os.PathLike[str] | Mapping[str, Any],
    *,
    prefix: str = "",
    ignore: Iterable[str] = (),
    key_map: KeyMap | None = None,
) -> None:
    """Load weights strictly: every name and every shape has to fit, or nothing is loaded.

    Names go through three steps: only those that begin with ``prefix`` are taken, without it; then ``key_map``; then
    ``ignore`` drops some. Missing ``num_batches_tracked`` are allowed: files older than torch 0.4.1 lack this counter,
    which no result depends on.

    Args:
        module: where the weights go; they are cast to its dtype and device.
        path_or_state: a file or ``zoo://NAME`` for ``safe_read``, or what such a file holds.
        prefix: e.g. ``"backbone."`` to load a backbone from an embedder's file.
        ignore: patterns with ``*`` and ``?`` of names dropped on purpose from the file *and* allowed to be missing from
            it, e.g. ``["head.classifier.*"]``.
        key_map: name in the file -> name in the module, or None to drop it; a mapping leaves other names as they are.

    Raises:
        WeightsError: missing, unexpected or mis-shaped names, at most ten of each with their number; two names mapped
            to one; NaN or infinity where the module has none; complex numbers, or some beyond the range of the
            module's dtype; quantised, sparse or nested tensors, or some without values; or no readable file.
    """
    content: Any = path_or_state
    where = "the given state"
    if isinstance(path_or_state, (str, os.PathLike)):
        where, content = os.fspath(path_or_state), safe_read(path_or_state)
    ignore = [ignore] if isinstance(ignore, str) else list(ignore)
    source = _rename(unwrap_state(content, where), prefix, key_map, where)
    source = {name: value for name, value in source.items() if not _matches(name, ignore)}
    _check_kinds(source, where)
    target = module.state_dict()
    missing = [
        name
        for name in target
        if name not in source and not _matches(name, ignore) and not name.endswith("num_batches_tracked")
    ]
    unexpected = [name for name in source if name not in target]
    shapes = {
        name: (tuple(value.shape), tuple(target[name].shape))
        for name, value in source.items()
        if name in target and value.shape != target[name].shape
    }
    if missing or unexpected or shapes:
        raise WeightsError(_report(where, type(module).__name__, missing, unexpected, shapes))
    _check_numbers(source, where, target)
    check_finite(source, where, target)
    module.load_state_dict({**target, **source})


def _check_kinds(state: Mapping[str, torch.Tensor], where: str) -> None:
    """Complain of tensors that are not plain arrays of numbers: nobody knows scales or values of others."""
    bad = [name for name, value in state.items() if not _is_plain(value)]
    if bad:
        raise WeightsError(
            f"{where}: {len(bad)} of {len(state)} tensors are quantised, packed, sparse, nested, or without values (on "
            f"the device meta): {first_names(bad)}. Save them as plain tensors, such as float32, where they were made"
        )


def _is_plain(value: torch.Tensor) -> bool:
    packed = str(value.dtype).startswith("torch.float4")  # two numbers in a byte
    odd = value.is_quantized or value.is_nested or value.is_meta or packed
    return not odd and value.layout == torch.strided


def _finite(value: torch.Tensor) -> torch.Tensor:
    """Return where a tensor is finite; of numbers of 8 bits torch tells it of some kinds only."""
    return (value.float() if value.is_floating_point() and value.element_size() == 1 else value).isfinite()


def _check_numbers(state: Mapping[str, torch.Tensor], where: str, target: Mapping[str, torch.Tensor]) -> None:
    """Complain of weights that the cast to the module's type would spoil: complex ones, and those beyond its range."""
    bad = [name for name, value in state.items() if value.is_complex() and not target[name].is_complex()]
    for name, value in state.items():
        kind = target[name].dtype
        floats = value.is_floating_point() and kind.is_floating_point
        if floats and torch.finfo(value.dtype).max > torch.finfo(kind).max:
            bad += [name] if bool((_finite(value) & ~_finite(value.to(kind))).any()) else []
    if bad:
        raise WeightsError(
            f"{where}: {len(bad)} of {len(state)} tensors are complex, or hold numbers beyond the range of the model's "
            f"{target[bad[0]].dtype}: {first_names(bad)}. They are not this model's weights"
        )


def check_finite(
    state: Mapping[str, torch.Tensor], where: str, target: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Complain of tensors that hold NaN or infinity.

    Args:
        state: name -> tensor.
        where: how an error calls it.
        target: tensors of the same names and shapes; where these are not finite the others need not be, such as a mask
            of -inf.

    Raises:
        WeightsError: some do; the message names at most ten.
    """
    bad = [name for name, value in state.items() if not _finite(value).all()]
    if target is not None:
        bad = [name for name in bad if bool((_finite(target[name]).cpu() & ~_finite(state[name]).cpu()).any())]
    if bad:
        raise WeightsError(
            f"{where} is damaged, or its training diverged; {len(bad)} of {len(state)} tensors hold NaN or infinity: "
            + first_names(bad)
        )


def _rename(state: Mapping[str, torch.Tensor], prefix: str, key_map: KeyMap | None, where: str) -> dict[str, Any]:
    """Apply ``prefix`` and ``key_map`` to the names of a state dict."""
    renamed: dict[str, Any] = {}
    for name, value in state.items():
        if not name.startswith(prefix):
            continue
        old = name[len(prefix) :]
        new: str | None = old
        if callable(key_map):
            new = key_map(old)
        elif key_map is not None:
            new = key_map.get(old, old)
        if new is None:
            continue
        if new in renamed:
            raise WeightsError(f"{where}: the key map brings two names to {new!r}, one of them {name!r}")
        renamed[new] = value
    if prefix and not renamed:
        raise WeightsError(f"{where}: no name begins with {prefix!r}; the first is {next(iter(state))!r}")
    return renamed


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name matches one of the patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _report(
    where: str, model: str, missing: list[str], unexpected: list[str], shapes: Mapping[str, tuple[Any, Any]]
) -> str:
    """Return the text of a strict loading error."""
    lines = [f"{where} does not fit {model}; nothing was loaded."]
    for name, (theirs, ours) in shapes.items():
        if name.endswith("classifier.weight") and theirs[1:] == ours[1:]:
            pattern = name.removesuffix("weight") + "*"
            lines.append(
                f"The file's classifier has {theirs[0]} classes, the model {ours[0]}; to drop it, add {pattern!r} to "
                f"WEIGHTS_IGNORE."
            )
    without = [name for name in missing if _matches(name, CLASSIFIERS)]
    if without and len(without) == len(missing) and not unexpected and not shapes:
        pattern = without[0].rpartition(".")[0] + ".*"
        lines.append(f"The file has no classifier; to start with a new one, add {pattern!r} to WEIGHTS_IGNORE.")
    clashes = [
        f"{name} {list(theirs)} in the file, {list(ours)} in the model" for name, (theirs, ours) in shapes.items()
    ]
    for title, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", clashes)):
        if names:
            lines.append(f"{len(names)} {title}: {first_names(names)}")
    return "\n  ".join(lines)


def map_torchvision(name: str) -> str | None:
    """Map names of torchvision's and of IBN-Net's ResNets: the same names, without the ImageNet classifier ``fc``."""
    return None if name.startswith("fc.") else name
