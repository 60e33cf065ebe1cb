"""Locates a model's file on this machine by the model's name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reidzoo.registry import SCHEME
from reidzoo.version import __version__
from reidzoo.weights.cache import fetch, make_once, sha256_of
from reidzoo.weights.hub import HUB
from reidzoo.zoo.index import entry
from reidzoo.zoo.index_entry import IndexEntry

__all__ = ["locate", "locate_on_hub", "plain_name"]


def plain_name(name: str) -> str:
    """Return ``NAME`` of ``zoo://NAME``, and any other name unchanged."""
    return name.removeprefix("zoo://")


@SCHEME.register_module(name="zoo")
def locate(name: str) -> Path:
    """Return the model file of ``NAME`` or ``zoo://NAME``, downloaded, checked and converted where needed.

    Raises:
        UnknownModelError: no index has the name.
        WeightsError: it cannot be downloaded, or it does not convert.
    """
    model = entry(plain_name(name))
    path = fetch(
        model.addresses, model.filename, sha256=model.sha256 or "", size=model.size, folder=model.folder,
        title=model.name,
    )  # fmt: skip
    return _converted(model, model.convert, path) if model.convert else path


@SCHEME.register_module(name="hf")
def locate_on_hub(name: str) -> Path:
    """Return the local copy of ``hf://OWNER/NAME/FILE``, a file of the Hugging Face hub, downloaded the first time.

    Raises:
        WeightsError: it cannot be had.
    """
    return fetch([f"{HUB}{name}"], f"hub/{hashlib.sha256(name.encode()).hexdigest()[:16]}/{Path(name).name}")


def _converted(model: IndexEntry, recipe: str, path: Path) -> Path:
    """Return the model file of another toolkit's file, converted once for each content and version of reidzoo."""
    digest = sha256_of(path)
    key = hashlib.sha256(f"{digest} {recipe} {__version__}".encode()).hexdigest()

    def make(target: Path) -> None:
        from reidzoo.zoo.convert import convert_file  # builds models, and those may ask for weights

        facts = {"metrics": dict(model.metrics), "original_sha256": digest}
        facts |= {key: getattr(model, key) for key in ("name", "data", "source", "licence", "version")}
        convert_file(recipe, path, target, facts)

    return make_once(f"zoo/{model.name}-converted-{key[:8]}.safetensors", make)
