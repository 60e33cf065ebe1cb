"""Loads configurations: files with ``_BASE_``, plug-ins, stages and overrides, into one frozen ``CfgNode``.

What wins, from the weakest:

1. the defaults and what plug-ins declare;
2. the file and its ``_BASE_`` files, these first, each file once; then, in each stage, what ``STAGES`` says of it;
3. each overlay, a file or a mapping, in all stages at once; then what its own ``STAGES`` says;
4. the overrides ``KEY VALUE``, in all stages at once; then those that begin with ``STAGES.<name>.``

So ``SOLVER.MAX_EPOCHS 1`` means every stage, whatever the file says of them. An entry that a stage deleted stays
deleted there, and an override of an entry that only some stages have reaches those.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from reidzoo.checks import Rule
from reidzoo.config.defaults import free, get_cfg
from reidzoo.config.merge import REPLACE, Merge, check_taken
from reidzoo.config.model_file_source import model_source
from reidzoo.config.plugins import import_plugin
from reidzoo.config.references import referenced_stages
from reidzoo.config.sources import BASE, Source, parse_overrides, read_chain, read_indexes
from reidzoo.config.trust import vet
from reidzoo.config.values import check_ranges
from reidzoo.errors import ConfigError
from reidzoo.suggest import suggestion
from reidzoo.yaml_check import check_value, is_list_of_names
from reidzoo.yaml_marks import Marked, dump_yaml, with_place

__all__ = ["difference", "dump", "load_config", "load_plugins", "stage_configs", "stage_names"]

_ONLY_AT_TOP = (BASE, "PLUGINS", "STAGES", "ZOO")
_PLUGINS = Rule("a list of importable names or paths", is_list_of_names)
_STAGE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def load_config(
    path: str | os.PathLike[str],
    opts: Sequence[Any] = (),
    overlays: Iterable[str | os.PathLike[str] | Mapping[str, Any] | Source] = (),
    stage: str | None = None,
    *,
    trust: bool | None = None,
) -> CfgNode:
    """Load a configuration file.

    ``OUTPUT_DIR`` of ``FOLDER/STEM.yml`` is ``output/FOLDER/STEM``, unless the file or what is laid over it names one.

    Args:
        path: the YAML file, or a model file (``.safetensors``), which carries its configuration.
        opts: overrides, ``[KEY, VALUE, KEY, VALUE, ...]``, as ``parse_overrides`` reads them.
        overlays: further YAML files, which win over the file in every stage; or mappings of the same keys, as they
            are or as a ``Source``, which knows its place in a file.
        stage: keep only this stage and those it refers to, directly or not. So an overlay may speak of stages that
            are not in this file, if nothing needs them.
        trust: whether what the file names may be imported: plug-ins from anywhere, dotted types. By default a YAML
            file, which the caller names, is trusted and a model file is not. Overrides and overlays always are.

    Returns:
        The frozen configuration. ``STAGES`` holds, per stage, what differs from the rest; see ``stage_configs``.

    Raises:
        ConfigError: anything wrong in a file or an override; the message begins with its place.
    """
    layers = [_read_file(Path(path), trust), *(_read_overlay(overlay) for overlay in overlays), parse_overrides(opts)]
    declared = get_cfg()
    if not _is_model_file(Path(path)):
        declared.OUTPUT_DIR = _default_output_dir(Path(path))
    plugins = load_plugins((source for layer in layers for source in layer), declared)
    layers[-1] = parse_overrides(opts, declared)  # again: a plug-in may have declared a string
    declared.PLUGINS = plugins
    declared.ZOO.INDEXES = read_indexes(source for layer in layers for source in layer)
    base, staged = Merge(declared.clone(), declared), False
    stages: dict[str, Merge] = {}
    for number, layer in enumerate(layers):
        _add_values(base, stages, layer, first=number == 0)
        for source in layer:
            _add_stages(base, stages, source, partial=layer is layers[-1])
        staged = staged or (number == 0 and bool(stages))
    if stage is not None:
        stages = _needed(stage, stages, staged)
    for merge in stages.values() if stages else [base]:
        merge.check_nodes()
    cfg = base.config
    cfg.STAGES = free({name: difference(cfg, stage.config) for name, stage in stages.items()})
    return _freeze(cfg)


def load_plugins(sources: Iterable[Source], cfg: CfgNode) -> list[str]:
    """Import the plug-ins that the sources name, and let each declare its keys in ``cfg``.

    Returns:
        The plug-ins, as names or absolute paths, each once.

    Raises:
        ConfigError: a plug-in cannot be imported, or its ``add_config(cfg)`` fails.
    """
    names: list[str] = []
    for source in sources:
        listed = source.get("PLUGINS")
        if listed is None:
            continue
        check_value(listed, _PLUGINS, "PLUGINS")
        for entry in listed.value:
            name, module = import_plugin(entry.value, source.folder, entry.where)
            if name in names:
                continue
            names.append(name)
            try:
                getattr(module, "add_config", lambda _: None)(cfg)
            except Exception as error:
                raise ConfigError(f"{entry.where}: add_config of plug-in {name} failed: {error!r}") from error
    return names


def stage_configs(cfg: CfgNode) -> dict[str, CfgNode]:
    """Return the stages' names and frozen configurations, in their order; each is complete and has no ``STAGES``.

    A configuration without stages is one stage, ``train``. A stage without a STREAM has its own name there, which
    stays with it where it is run alone.

    Raises:
        ConfigError: a value that code has put into the configuration is out of its range.
    """
    base = cfg.clone()
    base.defrost()
    stages = base.pop("STAGES", None) or {"train": {}}
    configs = {}
    for name, differences in stages.items():
        merge = Merge(base.clone(), base, f"STAGES.{name}.")
        merge.add(with_place(_to_plain(differences), f"STAGES.{name}"))
        check_ranges(merge.config, f"STAGES.{name}." if cfg.get("STAGES") else "")
        merge.config.STREAM = merge.config.STREAM or name
        configs[name] = _freeze(merge.config)
    return configs


def stage_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of a YAML file's stages in their order, without importing what the file names.

    Raises:
        ConfigError: it is not there or not in the format, or deletes a stage that is not there.
    """
    names: list[str] = []
    for source in read_chain(Path(path)):
        node = source.get("STAGES")
        if node is None or node.value is None:
            names = [] if node is not None else names
            continue
        entries, replace = _stage_entries(node), source.get(REPLACE)
        names = [] if replace is not None and replace.value else names
        for name, child in entries.items():
            _check_stage(name, child, dict.fromkeys(names), invent=True)
        kept = [*names, *(name for name in entries if name not in names)]
        kept = list(entries) if set(names) <= set(entries) else kept
        names = [name for name in kept if name not in entries or entries[name].value is not None]
    return names


def dump(cfg: CfgNode) -> str:
    """Write a configuration as YAML that, loaded again from anywhere, gives the same configuration.

    ``_REPLACE_`` at its top keeps the entries of free nodes from merging with the defaults. Plug-ins found by path are
    absolute paths; ``OUTPUT_DIR`` and ``DATASETS.ROOT`` stay relative to the working directory.
    """
    return dump_yaml({REPLACE: True, **_to_plain(cfg)})


def _is_model_file(path: Path) -> bool:
    return path.suffix == ".safetensors"


def _default_output_dir(path: Path) -> str:
    """Return ``output/FOLDER/STEM``, with the name of the folder that the file lies in, not of a file it stands on."""
    path = Path(os.path.abspath(path))
    return f"output/{path.parent.name}/{path.stem}"


def _read_file(path: Path, trust: bool | None) -> list[Source]:
    if _is_model_file(path):
        return vet([model_source(path)], path, bool(trust))
    return read_chain(path) if trust is None else vet(read_chain(path), path, trust)


def _read_overlay(overlay: str | os.PathLike[str] | Mapping[str, Any] | Source) -> list[Source]:
    if isinstance(overlay, Mapping):
        overlay = Source(with_place(_to_plain(overlay), "overlay"), Path.cwd())
    if not isinstance(overlay, Source):
        return read_chain(Path(overlay))
    base = overlay.get(BASE)
    if base is not None:
        raise ConfigError(f"{base.where}: _BASE_ stands in configuration files only")
    return [overlay]


def _needed(stage: str, stages: dict[str, Merge], staged: bool) -> dict[str, Merge]:
    """Return ``stage`` and the stages it refers to, in their order; ``staged``: the file itself has stages."""
    if stage == "train" and not staged and stage not in stages:
        return {}
    named_by: dict[str, str] = {stage: "wanted"}
    for name in (queue := list(named_by)):
        if name not in stages:
            hint = suggestion(name, stages, f"stages: {', '.join(stages) or 'none'}")
            raise ConfigError(f"{named_by[name]}: there is no stage {name}; {hint}")
        for other in referenced_stages(stages[name].config):
            if other not in named_by:
                named_by[other] = f"STAGES.{name}"
                queue.append(other)
    return {name: merge for name, merge in stages.items() if name in named_by}


def _add_values(base: Merge, stages: dict[str, Merge], layer: list[Source], first: bool) -> None:
    """Merge everything of a layer except its stages into the base, and of later layers into each stage as well."""
    for source in layer:
        tree = source.without(*_ONLY_AT_TOP)
        if first:
            base.add(tree)
            continue
        for merge in (base, *stages.values()):
            merge.override(tree)
        check_taken(list(stages.values()) or [base], base)


def _add_stages(base: Merge, stages: dict[str, Merge], source: Source, partial: bool) -> None:
    """Merge a source's ``STAGES``; ``partial``: it is an override, whose entries must be there."""
    node = source.get("STAGES")
    if node is None:
        return
    if node.value is None:
        stages.clear()
        return
    entries = _stage_entries(node)
    before = list(stages)
    replace = source.get(REPLACE)
    if replace is not None and replace.value:
        stages.clear()
    for name, child in entries.items():
        _check_stage(name, child, stages, invent=source.depth < 3)
        if child.value is None:
            del stages[name]
            continue
        if name not in stages:
            stages[name] = base.fork(f"STAGES.{name}.")
        merge = stages[name]
        if partial:
            merge.override(child)
            check_taken([merge], merge)
        else:
            merge.add(child)
    if set(before) <= set(entries):
        for name in entries:
            if name in stages:
                stages[name] = stages.pop(name)


def _stage_entries(node: Marked) -> dict[str, Marked]:
    """Return stage name -> overrides, also from the form ``[{NAME: label, ...}, ...]``."""
    if isinstance(node.value, dict):
        return node.value
    if not isinstance(node.value, list):
        raise ConfigError(f"{node.where}: STAGES: expected a mapping of stage names to what differs in them")
    entries: dict[str, Marked] = {}
    for stage in node.value:
        name = stage.value.get("NAME") if isinstance(stage.value, dict) else None
        if name is None or not isinstance(name.value, str):
            raise ConfigError(f"{stage.where}: STAGES: expected a stage with a NAME")
        if name.value in entries:
            raise ConfigError(f"{name.where}: duplicate stage {name.value}")
        overrides = {key: child for key, child in stage.value.items() if key != "NAME"}
        entries[name.value] = Marked(overrides, stage.where)
    return entries


def _check_stage(name: str, child: Marked, stages: Mapping[str, Any], invent: bool) -> None:
    if not _STAGE_NAME.fullmatch(name):
        raise ConfigError(f"{child.where}: STAGES.{name}: a stage's name is made of letters, digits, _ and -")
    if name not in stages and (child.value is None or not invent):
        hint = suggestion(name, stages, f"stages: {', '.join(stages) or 'none'}")
        reason = "null deletes a stage, {} is one without overrides; " if child.value is None else ""
        raise ConfigError(f"{child.where}: STAGES.{name}: {reason}there is no stage {name}; {hint}")
    if child.value is not None and not isinstance(child.value, dict):
        raise ConfigError(f"{child.where}: STAGES.{name}: expected a mapping of what differs in the stage")
    for key in _ONLY_AT_TOP:
        if child.value and key in child.value:
            raise ConfigError(f"{child.value[key].where}: STAGES.{name}.{key}: {key} stands at the top of a file only")


def difference(base: CfgNode, other: CfgNode, inside: bool = False, nested: bool = False) -> dict[str, Any]:
    """Return the plain tree that, merged into ``base``, gives ``other``.

    Args:
        base: what the tree is for.
        other: what is wanted.
        inside: they are arguments of a ``type`` further up.
        nested: they lie in a free node, and only that one is replaced where merging cannot give what is wanted.
    """
    typed = inside or "type" in base or "type" in other
    tree: dict[str, Any] = {} if typed else {key: None for key in base if key not in other}
    for key, value in other.items():
        if key in base and isinstance(value, CfgNode) and isinstance(base[key], CfgNode):
            below = difference(base[key], value, typed, nested or base.is_new_allowed())
            if below:
                tree[key] = below
        elif key not in base or not _same(base[key], value):
            tree[key] = _to_plain(value)
    if base.is_new_allowed() and not nested:
        merge = Merge(base.clone(), base)
        merge.add(with_place(tree, "STAGES"), inside)
        if not _same(merge.config, other):
            return {REPLACE: True, **_to_plain(other)}
    return tree


def _same(left: Any, right: Any) -> bool:
    """Return whether two values are equal, also in their types and in the order of their keys."""
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right))
    return type(left) is type(right) and left == right


def _to_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_plain(child) for child in value]
    return value


def _freeze(cfg: CfgNode) -> CfgNode:
    cfg.freeze()
    return cfg
