"""Writes entries into an index as text, so that its comments stay."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reidzoo.files import write_text

__all__ = ["write_entry"]


def write_entry(index: Path, folder: Path, sidecar: Mapping[str, Any]) -> None:
    """Write a model's entry into an index, in place of one of the same name, and leave the rest as it is."""
    name = sidecar["name"]
    address = Path(os.path.relpath(folder / f"{name}.safetensors", index.parent)).as_posix()
    entry = {
        "config": sidecar["config"],
        "addresses": [f"file:{address}"],
        "sha256": sidecar["sha256"],
        "size": sidecar["size"],
        "convert": None,
        "metrics": sidecar["kept_metrics"],
        "data": sidecar["data"],
        "source": sidecar["source"],
        "licence": sidecar["licence"],
        "version": f"{sidecar['versions']['reidzoo']}, commit {sidecar['commit'][:7]}",
    }
    _, _, content = yaml.safe_dump({name: entry}, sort_keys=False, width=120).partition(":\n")
    block = f"{_key(name)}:\n{content}"
    text = index.read_text(encoding="utf-8") if index.is_file() else ""
    text = text if not text or text.endswith("\n") else text + "\n"  # as an editor may leave it
    old_entry = re.compile(rf"^(['\"]?){re.escape(name)}\1:.*\n(?:[ \t].*\n|\n(?=[ \t]))*", re.MULTILINE)
    if old_entry.search(text):
        text = old_entry.sub(lambda _: block, text, count=1)
    else:
        text = "" if text.strip() == "{}" else text  # an index without entries
        text += block
    write_text(index, text)


def _key(name: str) -> str:
    """Return a model's name as a key of YAML, in quotes where it could be read as a number or as a truth value."""
    plain = name[0].isalpha() and isinstance(yaml.safe_load(name), str)
    return name if plain else f"'{name}'"
