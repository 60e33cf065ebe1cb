"""Holds a configuration that came with somebody's weights to what such a file may name.

Importing runs code. So a model file, and the ``config.yml`` next to a checkpoint, may name registered parts, and
plug-ins among this package's own projects. Everything else takes the word of the person: ``trust=True``, ``--trust``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from reidzoo.config.plugins import plugin_path
from reidzoo.config.sources import Source, read_chain
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.version import ROOT
from reidzoo.yaml_check import is_list_of_names
from reidzoo.yaml_marks import Marked, unmark

__all__ = ["needs_trust", "vet"]

logger = logging.getLogger("reidzoo")

_PARTS = ("MODEL", "BACKBONE", "HEAD", "INPUT", "TEST")
"""The sections, beside DATASETS, that something is built from where a model embeds images."""
_NAMES = ("type", "dataset")
"""The arguments whose strings are looked up in a registry, at any depth."""


def vet(sources: list[Source], file: Path, trust: bool) -> list[Source]:
    """Return the sources of ``file`` if all they name may be imported; with ``trust``, say what will be.

    Indexes of models are taken from a trusted file only: an address that a file chooses would be asked.

    Args:
        sources: the file's own tree and those of its ``_BASE_``.
        file: a model file, or a run's ``config.yml``.
        trust: whether the person said that the file is trusted.

    Raises:
        ConfigError: without ``trust``, a plug-in that is not of this package's projects, or a dotted name.
    """
    asking = [found for source in sources for found in _imports(source)]
    if trust:
        for where, name, what in asking:
            logger.warning("%s: %s: %s is trusted, and will be imported", where, name, what)
        return sources
    if asking:
        where, name, what = asking[0]
        shown = show_path(file.parent if file.name == "config.yml" else file)
        kind = "a model file" if file.suffix == ".safetensors" else "a configuration that comes with weights"
        raise ConfigError(
            f"{where}: {name}: {what}: {kind} may name registered parts and the plug-ins of this package's projects "
            f"only, since importing what a file names runs code. If you trust who made it, say so: "
            f"reidzoo.load({shown!r}, trust=True), or --trust on the command line"
        )
    return [Source(source.without("ZOO"), source.folder, source.depth) for source in sources]


def needs_trust(file: Path) -> bool:
    """Return whether ``vet`` would refuse the file without trust."""
    return any(True for source in read_chain(file) for _ in _imports(source))


def _imports(source: Source) -> Iterator[tuple[str, str, str]]:
    """Yield place, key and name of what the source would import that nobody here has written."""
    plugins = source.get("PLUGINS")
    if plugins is not None and is_list_of_names(unmark(plugins)):  # another value is refused where it is read
        for entry in plugins.value:
            if not _is_own(entry.value, source.folder):
                yield entry.where, "PLUGINS", entry.value
    for key, name in _sections(source.tree):
        if ("." in name.value or ":" in name.value) and not _is_torchvisions(key, name.value):
            yield name.where, key, name.value


def _is_torchvisions(key: str, name: str) -> bool:
    """Return whether a transform is a class of torchvision's own, which ``TorchvisionTransform`` does not import."""
    start = "torchvision.transforms."
    own = name.removeprefix(start).removeprefix("v2.").isidentifier()
    return "INPUT.TRANSFORMS." in key and name.startswith(start) and own


def _is_own(entry: str, folder: Path) -> bool:
    """Return whether a plug-in lies among this package's projects."""
    path = plugin_path(entry, folder)
    return path is not None and path.is_relative_to(ROOT / "projects")


def _sections(tree: Marked, prefix: str = "") -> Iterator[tuple[str, Marked]]:
    """Yield key and name of every part and dataset that the tree names, in its stages too."""
    if not isinstance(tree.value, dict):
        return
    for key in _PARTS:
        if key in tree.value:
            yield from _named(tree.value[key], prefix + key, False)
    datasets = tree.value.get("DATASETS")
    entries = datasets.value if datasets is not None and isinstance(datasets.value, dict) else {}
    for key in ("TRAIN", "TESTS"):
        if key in entries:
            yield from _datasets(entries[key], f"{prefix}DATASETS.{key}")
    stages = tree.value.get("STAGES")
    for name, stage in _children(stages) if stages is not None else ():
        yield from _sections(stage, f"{prefix}STAGES.{name}.")


def _datasets(node: Marked, key: str) -> Iterator[tuple[str, Marked]]:
    """Yield the names in DATASETS.TRAIN or DATASETS.TESTS, whose every entry is a dataset or a list of them."""
    if isinstance(node.value, str):
        yield key, node
    for name, child in _children(node):
        yield from _named(child, f"{key}.{name}", True)


def _named(node: Marked, key: str, looked_up: bool) -> Iterator[tuple[str, Marked]]:
    """Yield the strings that a registry looks up; ``looked_up``: a string here is one."""
    if isinstance(node.value, str) and looked_up:
        yield key, node
    elif isinstance(node.value, list):
        for number, child in enumerate(node.value):
            yield from _named(child, f"{key}[{number}]", looked_up)
    elif isinstance(node.value, dict):
        for name, child in node.value.items():
            yield from _named(child, key if name == "type" else f"{key}.{name}", name in _NAMES)


def _children(node: Marked) -> Iterator[tuple[object, Marked]]:
    if isinstance(node.value, dict):
        yield from node.value.items()
    elif isinstance(node.value, list):
        yield from enumerate(node.value)
