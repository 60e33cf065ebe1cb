"""The models that are known by name: ours in ``zoo/``, published ones, and those of indexes that others publish.

An index is YAML, name -> what is known of the model; every key is there, null where a thing is unknown::

    domainmix_mini:
      config: projects/DomainMix/mini.yml
      addresses: ["file:domainmix_mini.safetensors", "https://...", "gdrive:FILE_ID"]   # tried in this order
      sha256: 64 hexadecimal digits
      size: 1234567
      convert: null
      metrics: {"Market1501 twin": {mAP: 0.36, rank-1: 0.47}}
      data: trained on RandPerson's and MSMT17's twins
      source: measured here
      licence: Apache-2.0
      version: "0.1.0"
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

from yacs.config import CfgNode

from reidzoo.errors import ConfigError, UnknownModelError, WeightsError
from reidzoo.files import move_into_place, show_path
from reidzoo.suggest import did_you_mean
from reidzoo.version import ROOT
from reidzoo.weights.cache import weights_home
from reidzoo.weights.download import TransferError, forget_part, from_http
from reidzoo.yaml_marks import parse_yaml
from reidzoo.zoo.index_entry import IndexEntry

__all__ = ["entry", "list_models", "read_index", "register_index", "register_indexes"]

logger = logging.getLogger("reidzoo")

MOST_BYTES = 4 << 20
"""Bytes that an index at an address may have."""

_SHOWN = 12
_indexes: dict[str, dict[str, IndexEntry]] = {}
"""Place of an index -> its entries; this package's own are first."""


def register_index(path_or_url: str | os.PathLike[str]) -> list[str]:
    """Make the models of an index known by name; doing so twice does no harm.

    Args:
        path_or_url: a YAML file, or the ``http(s)://`` address of one. Of an address a copy is kept, which serves when
            it cannot be reached.

    Returns:
        The names.

    Raises:
        ConfigError: there is no such index, it is not in the format, or a name is in another index already.
        WeightsError: the address cannot be reached and there is no copy.
    """
    _load_own()
    place, entries = read_index(path_or_url)
    _refuse_clashes(place, entries, _indexes)
    _indexes[place] = entries
    return list(entries)


def register_indexes(cfg: CfgNode) -> None:
    """Make the models of ``ZOO.INDEXES`` known by name.

    Raises:
        ConfigError: an index is missing or wrong, or a name is in two indexes.
        WeightsError: an address cannot be reached.
    """
    for place in cfg.ZOO.INDEXES:
        register_index(place)


def list_models() -> list[str]:
    """Return the names of all known models, those of this package first."""
    _load_own()
    return [name for entries in _indexes.values() for name in entries]


def entry(name: str) -> IndexEntry:
    """Return what is known of a model.

    Raises:
        UnknownModelError: no index has the name.
    """
    _load_own()
    for entries in _indexes.values():
        if name in entries:
            return entries[name]
    names = list_models()
    more = f", and {len(names) - _SHOWN} more (reidzoo.zoo.list_models())" if len(names) > _SHOWN else ""
    raise UnknownModelError(
        f"no model is called {name!r}.{did_you_mean(name, names)} "
        f"There are: {', '.join(names[:_SHOWN]) or 'none'}{more}. "
        "Another index is made known by ZOO.INDEXES in a configuration, or by reidzoo.zoo.register_index"
    )


def read_index(path_or_url: str | os.PathLike[str]) -> tuple[str, dict[str, IndexEntry]]:
    """Read and check an index without making it known.

    Returns:
        Its place, an absolute path or an address, and its entries by name.

    Raises:
        ConfigError, WeightsError: as `register_index`.
    """
    given = os.fspath(path_or_url)
    if re.match(r"https?://", given):
        return given, _read_address(given)
    path = Path(given)
    if not path.is_file():
        raise ConfigError(f"{show_path(path)}: there is no such index of models")
    place = str(path.resolve())
    return place, _read(path, place, show_path(path))


def _read(path: Path, place: str, shown: str) -> dict[str, IndexEntry]:
    """Return the entries of the index in ``path``, which messages call ``shown``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown}: this index of models cannot be read: {error}") from None
    tree = parse_yaml(text, lambda line: f"{shown}:{line}")
    if tree.value is None:
        return {}
    if not isinstance(tree.value, dict):
        raise ConfigError(f"{tree.where}: an index is a mapping of models' names to what is known of them")
    return {name: IndexEntry.read(name, node, place) for name, node in tree.value.items()}


def _load_own() -> None:
    if _indexes:
        return
    own: dict[str, dict[str, IndexEntry]] = {}
    for path in (ROOT / "zoo" / "index.yml", *sorted(Path(__file__).parent.glob("index*.yml"))):
        place, entries = read_index(path)
        _refuse_clashes(place, entries, own)
        own[place] = entries
    _indexes.update(own)


def _refuse_clashes(
    place: str, entries: Mapping[str, IndexEntry], indexes: Mapping[str, Mapping[str, IndexEntry]]
) -> None:
    for other, known in indexes.items():
        for name in entries:
            if other != place and name in known:
                raise ConfigError(
                    f"two models are called {name!r}: one is at {known[name].where}, the other one at "
                    f"{entries[name].where}; rename one, or name one of the two indexes only"
                )


def _read_address(url: str) -> dict[str, IndexEntry]:
    """Return the entries of the index at ``url``, or of an older copy if it cannot be reached or is not an index."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    path = weights_home() / "indexes" / f"{digest}.yml"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        from_http(url, part, title="index of models", most=MOST_BYTES)
        found = _read(part, url, url)  # before it takes the place of a copy that is known to be good
        move_into_place(part, path)
        return found
    except ConfigError as error:
        if not path.is_file():
            raise
        logger.warning("what came from %s is not an index of models (%s); taking the copy %s", url, error, path)
    except (TransferError, OSError) as error:
        if not path.is_file():
            raise WeightsError(
                f"the index of models {url} cannot be had: {error}. Without network, put it by hand at {path}"
            ) from None
        logger.warning("the index of models %s cannot be had (%s); taking the copy %s", url, error, path)
    finally:
        forget_part(part)
    return _read(path, url, url)
