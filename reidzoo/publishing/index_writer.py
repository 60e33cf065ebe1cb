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
    block = yaml.safe_dump({name: entry}, sort_keys=False, width=120)
    text = index.read_text(encoding="utf-8") if index.is_file() else ""
    old_entry = re.compile(rf"^{re.escape(name)}:.*\n(?:[ \t].*\n|\n(?=[ \t]))*", re.MULTILINE)
    if old_entry.search(text):
        text = old_entry.sub(lambda _: block, text, count=1)
    else:
        text = "" if text.strip() == "{}" else text  # an index without entries
        text = text if not text or text.endswith("\n") else text + "\n"
        text += block
    write_text(index, text)
