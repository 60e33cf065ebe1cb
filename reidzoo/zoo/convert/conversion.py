"""Converts a state dict, with every name and every shape accounted for."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.config import get_cfg
from reidzoo.errors import WeightsError
from reidzoo.registry import MODEL
from reidzoo.weights.first_names import first_names
from reidzoo.weights.loading import check_finite, safe_read, unwrap_state
from reidzoo.weights.model_file import ModelFile
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout

__all__ = ["check_options", "convert_path", "convert_state"]

_SIZE = re.compile(r"(\d+)x(\d+)")


def _parse_size(text: str) -> tuple[int, int]:
    """Return height and width of ``256x128``.

    Raises:
        WeightsError: it is not of this form.
    """
    match = _SIZE.fullmatch(text)
    if not match or "0" in match.groups():
        raise WeightsError(f"a size is height x width in pixels, such as 256x128; got {text!r}")
    return int(match[1]), int(match[2])


def convert_path(family: Family, path: str | os.PathLike[str], options: Mapping[str, str]) -> ModelFile:
    """Convert a toolkit's file, read without running code.

    Args:
        family: the family that the file is of.
        path: the file, or the folder of a family that has those.
        options: ``size`` (``256x128``) and the family's own options.

    Raises:
        WeightsError: the file, an option, or anything that does not fit.
    """
    source, stated, inputs = family.open(Path(path)) if family.open else (Path(path), {}, {})
    state = unwrap_state(safe_read(source), os.fspath(source))
    try:
        file = convert_state(
            family, state, {**stated, **{key: text for key, text in options.items() if text is not None}}
        )
    except WeightsError as error:
        raise WeightsError(f"{os.fspath(path)}: {error}") from None
    check_finite(file.state, os.fspath(source))
    config = {**file.config, "INPUT": {**file.config["INPUT"], **inputs}}
    return ModelFile(file.state, config, {**file.info, "original": Path(path).name})


def convert_state(family: Family, state: Mapping[str, Tensor], options: Mapping[str, str]) -> ModelFile:
    """Convert a state dict.

    Every name of the source is either brought to one name of the model or dropped on purpose; every name of the model
    is filled, with the shape that it has there. ``num_batches_tracked`` may be missing, as in files older than torch
    0.4.1: no result depends on it.

    Args:
        family: the family that the names are of.
        state: name -> tensor.
        options: as for ``convert_path``.

    Returns:
        The model: ``config`` has the nodes to build and to feed it, ``info`` its origin.

    Raises:
        WeightsError: all names and shapes that do not fit; a wrong option; or a feature that no model here has.
    """
    options = check_options(family, options)
    height, width = _size(family, options)
    layout = family.layout(state, {**options, "size": f"{height}x{width}"})
    config = _config(family, layout, options)
    with torch.device("meta"):
        model = MODEL.build({"type": "Embedder"}, backbone=config["BACKBONE"], head=config["HEAD"], num_classes=0)
    dropped = Counter(new.what for new in layout.names.values() if isinstance(new, Dropped))
    info = {
        "converted_from": family.name,
        "options": dict(options),
        "source": family.repository,
        "licence": family.licence,
        "dropped": dict(dropped),
        "notes": list(layout.notes),
    }
    return ModelFile(_fill(family, model, state, layout), config, info)


def check_options(family: Family, options: Mapping[str, str]) -> dict[str, str]:
    """Check the options' names and values, and return those that are not None."""
    chosen = {name: value for name, value in options.items() if value is not None}
    for name, value in chosen.items():
        if name == "size":
            _parse_size(value)
        elif name not in family.options:
            names = ", ".join(["size", *family.options])
            raise WeightsError(f"{family.name} has no option {name!r}; its options are {names}")
        elif value not in family.options[name]:
            raise WeightsError(f"{family.name}: {name} is one of {', '.join(family.options[name])}; got {value!r}")
    _size(family, chosen)
    return chosen


def _size(family: Family, options: Mapping[str, str]) -> tuple[int, int]:
    """Return the height and width of the images: the option's, or the family's."""
    if "size" in options:
        return _parse_size(options["size"])
    if family.size is None:
        raise WeightsError(
            f"{family.name}: give the size of the images that the model was trained on, which the file does not say: "
            f"{family.sizes}"
        )
    return family.size


def _config(family: Family, layout: Layout, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration to build and to feed the model."""
    cfg = get_cfg()
    inputs = _plain(cfg.INPUT)
    del inputs["TEST_INTERPOLATION"]  # a model file has one way, that of the tests
    # Of the transforms the test needs this one; how it was trained is not known from the file.
    inputs["TRANSFORMS"] = {"normalize": {"type": "Normalize"}}
    inputs.update(SIZE=list(_size(family, options)), INTERPOLATION=family.interpolation, **layout.inputs)
    return {
        "PLUGINS": [],
        "MODEL": _plain(cfg.MODEL),
        "BACKBONE": {**layout.backbone, "pretrained": ""},
        "HEAD": dict(layout.head),
        "INPUT": inputs,
        "TEST": {**_plain(cfg.TEST), **family.test},
    }


def _plain(node: Any) -> Any:
    return {key: _plain(value) for key, value in node.items()} if isinstance(node, CfgNode) else node


def _fill(family: Family, model: nn.Module, state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Return the model's state dict from the file's, or raise with everything that does not fit."""
    target = model.state_dict()
    filled, origin = dict(layout.added), dict.fromkeys(layout.added, "a constant")
    unknown, twice = [], []
    shapes = [
        f"{name} is {list(tensor.shape)}, here {list(target[name].shape)}"
        for name, tensor in layout.added.items()
        if name in target and tensor.shape != target[name].shape
    ]
    for name, tensor in state.items():
        new = layout.names.get(name)
        if isinstance(new, Dropped):
            continue
        if new not in target:
            unknown.append(name)
        elif new in filled:
            twice.append(f"{name} and {origin[new]}")
        else:
            filled[new], origin[new] = tensor, name
            if tensor.shape != target[new].shape:
                shapes.append(f"{name} is {list(tensor.shape)}, {new} is {list(target[new].shape)}")
    missing = [name for name in target if name not in filled]
    for name in [name for name in missing if name.endswith("num_batches_tracked")]:
        filled[name] = torch.tensor(0)
        missing.remove(name)
    problems = {
        "in the file that this family does not have": unknown,
        "missing in the file": [_in_the_file(name, layout.names) for name in missing],
        "of another shape": shapes,
        "for one and the same tensor": twice,
    }
    if any(problems.values()):
        raise WeightsError(_report(family, problems))
    return {name: filled[name] for name in target}


def _in_the_file(missing: str, names: Mapping[str, str | Dropped]) -> str:
    """Return the name in the file for a name of ours, guessed from the names of its neighbours."""
    best, theirs = "", ""
    for name, new in names.items():
        if isinstance(new, Dropped):
            continue
        pairs = enumerate(zip(reversed(name), reversed(new)))
        shared = next((n for n, (a, b) in pairs if a != b), min(len(name), len(new)))
        # Cut both between two dots, so that "base.7." stands for "backbone.layer4.", whatever follows.
        if not (shared == len(name) or name[len(name) - shared - 1] == "."):
            shared = len(name[len(name) - shared :].partition(".")[2])
        prefix = new[: len(new) - shared]
        if missing.startswith(prefix) and len(prefix) > len(best):
            best, theirs = prefix, name[: len(name) - shared]
    return f"{theirs}{missing[len(best) :]} ({missing})" if best else missing


def _report(family: Family, problems: Mapping[str, list[str]]) -> str:
    """Return the text of an error that lists what does not fit."""
    lines = [f"this does not fit {family.name} ({family.title}); nothing was converted."]
    for title, names in problems.items():
        if names:
            lines.append(f"{len(names)} {title}: {first_names(names)}")
    return "\n  ".join(lines)
