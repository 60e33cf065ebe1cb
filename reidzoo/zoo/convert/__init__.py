"""Converts other toolkits' checkpoints into model files.

By command, from a file::

    reidzoo convert --from fastreid --size 256x128 --pool avg market_bot_R50.pth bot.safetensors
    reidzoo test --weights bot.safetensors --targets Market1501

or, for what ``reidzoo/zoo/index_published.yml`` lists, from its address: downloaded, converted, and evaluated on
Market-1501 (under ``datasets/``) in one command::

    reidzoo test --weights zoo://domainmix_r50_to_market1501 --targets Market1501

By program::

    from reidzoo.zoo.convert import convert_file
    convert_file("spcl size=256x128 bn=source", "model_best.pth.tar", "spcl.safetensors")

Each family is a module with an explicit key map. A conversion is whole or not at all: names that the map does not know,
names that are missing and shapes that differ are an error that lists them, and so is a feature that no model here has.
The original's test preprocessing goes into the file; where a toolkit's recipes differ in it, it has to be given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidzoo.errors import WeightsError
from reidzoo.suggest import closest
from reidzoo.weights.model_file import ModelFile, write_model_file
from reidzoo.zoo.convert.adin import ADIN
from reidzoo.zoo.convert.clip_reid import CLIP_REID
from reidzoo.zoo.convert.conversion import check_options, convert_path, convert_state
from reidzoo.zoo.convert.domainmix import DOMAINMIX
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.ecn import ECN
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.fastreid import FASTREID
from reidzoo.zoo.convert.ibn_net import IBN_NET
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.mmt import MMT
from reidzoo.zoo.convert.mobilenet_v2 import MOBILENET_V2
from reidzoo.zoo.convert.pass_reid import PASS
from reidzoo.zoo.convert.solider import SOLIDER
from reidzoo.zoo.convert.spcl import SPCL
from reidzoo.zoo.convert.torchreid import TORCHREID
from reidzoo.zoo.convert.torchvision import TORCHVISION
from reidzoo.zoo.convert.trackers import BOXMOT, REID
from reidzoo.zoo.convert.transreid import TRANSREID

__all__ = [
    "FAMILIES", "Dropped", "Family", "Layout", "check_recipe", "convert_file", "convert_path", "convert_state",
]  # fmt: skip

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        DOMAINMIX,
        SPCL,
        MMT,
        ECN,
        ADIN,
        FASTREID,
        TORCHREID,
        IBN_NET,
        TORCHVISION,
        MOBILENET_V2,
        BOXMOT,
        REID,
        TRANSREID,
        CLIP_REID,
        PASS,
        SOLIDER,
    )
}


def check_recipe(recipe: str) -> tuple[Family, dict[str, str]]:
    """Return the family and the options of a recipe, such as ``fastreid size=384x128 pool=gem``.

    Raises:
        WeightsError: there is no such family or option, or an option that is needed is missing.
    """
    name, *words = recipe.split() or [""]
    if name not in FAMILIES:
        match = closest(name, list(FAMILIES), 0.5)
        hint = f"; did you mean {match}?" if match else "."
        raise WeightsError(f"there is no converter for {name!r}{hint} There are: {', '.join(FAMILIES)}")
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key in options:
            raise WeightsError(f"{recipe!r}: options are NAME=VALUE, each once; got {word!r}")
        options[key] = value
    return FAMILIES[name], check_options(FAMILIES[name], options)


def convert_file(
    recipe: str,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    info: Mapping[str, Any] | None = None,
) -> ModelFile:
    """Convert a toolkit's file into a model file.

    Args:
        recipe: a family and its options, see ``check_recipe``.
        source: the toolkit's file.
        target: the model file to write, ``*.safetensors``.
        info: further facts: name, metrics, ...; they win over the conversion's.

    Returns:
        The content of the file.

    Raises:
        WeightsError: the recipe is wrong, or the file does not fit it; nothing is written then.
    """
    family, options = check_recipe(recipe)
    file = convert_path(family, source, options)
    file = ModelFile(file.state, file.config, {**file.info, **(info or {})})
    write_model_file(Path(target), file.state, file.config, file.info)
    return file
