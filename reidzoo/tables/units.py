"""Plans what must run for a table: each stage at each seed once, whichever rows need it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from reidzoo.config import dump, get_cfg, load_config, stage_configs
from reidzoo.config.loader import difference
from reidzoo.config.references import fill_seed, map_references, referenced_rows, referenced_stages
from reidzoo.engine.run_folder import RunFolder, StageFolder
from reidzoo.errors import ConfigError
from reidzoo.files import show_path, write_text
from reidzoo.tables.spec import Row, Table

__all__ = ["LOG", "Plan", "Unit", "make_plan"]

LOG = "output.txt"
"""The file in a unit's folder that holds its process's output."""
_NOTE = "unit.json"
_NOT_IDENTITY = ("SEED", "OUTPUT_DIR", "DATALOADER", "LOG", "ZOO")


@dataclass(frozen=True)
class Unit:
    """A run of one stage at one seed.

    Attributes:
        key: hash of the stage's configuration, in which each stage that it refers to stands as that stage's key. Equal
            keys mean equal results.
        stage: the stage's name.
        seed: the seed.
        folder: where it runs.
        config: its complete configuration, which refers to other units by their folders.
        needs: the keys of the units that must be done before it.
    """

    key: str
    stage: str
    seed: int
    folder: Path
    config: CfgNode
    needs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def files(self) -> StageFolder:
        """The files of its only stage."""
        return RunFolder(self.folder, []).stage()

    @property
    def done(self) -> bool:
        """Whether its final checkpoint is there, and its results, unless its configuration turns the evaluation off."""
        files = self.files
        return files.finished and ("evaluate" not in self.config.HOOKS or files.results.exists())

    def results(self) -> dict[str, dict[str, float]]:
        """Return dataset -> metric -> fraction, once it is done."""
        return self.files.read_results()

    def training(self) -> dict[str, float]:
        """Return the last means of what its training logs."""
        return self.files.read_training()

    def environment(self, key: str) -> str:
        """Return what ``environment.json`` says of its last process: ``commit``, ``torch``, ``threads`` ..."""
        run = RunFolder(self.folder, [])
        return run.read_environment().get(key, "unknown") if run.environment.exists() else "unknown"

    def write(self) -> Path:
        """Write the configuration into the folder and return its path; running that file repeats the unit."""
        path = RunFolder(self.folder, []).config
        write_text(path, dump(self.config))
        return path

    @property
    def seconds(self) -> float:
        """How long it has run so far, in all its processes."""
        file = self.folder / _NOTE
        return float(json.loads(file.read_text(encoding="utf-8"))["seconds"]) if file.exists() else 0.0

    def note(self, seconds: float, needs: Sequence[str]) -> None:
        """Record how long it has run and the names of the units it needs."""
        content = {"stage": self.stage, "seed": self.seed, "key": self.key, "needs": list(needs)}
        write_text(self.folder / _NOTE, json.dumps({**content, "seconds": round(seconds, 1)}, indent=1) + "\n")


@dataclass(frozen=True)
class Plan:
    """The units of a table, and which of them gives each row's results.

    Attributes:
        units: key -> unit; a unit comes after those it needs, and a seed after the seeds before it.
        results: (variant, row, seed) -> the key of the unit whose results the table shows.
    """

    units: Mapping[str, Unit]
    results: Mapping[tuple[str, str, int], str]

    @property
    def variants(self) -> list[str]:
        """The variants that can be run, each once."""
        return list(dict.fromkeys(variant for variant, _, _ in self.results))

    def needed(self, variants: Iterable[str], rows: Iterable[str]) -> dict[str, Unit]:
        """Return the units that these rows of these variants need: seed by seed, then in the order of the rows.

        What is stopped early has thus run the rows that were named first.
        """
        variants, rows = list(variants), list(rows)
        found = [key for key in self.results if key[0] in variants and key[1] in rows]
        found.sort(key=lambda key: (key[2], rows.index(key[1]), variants.index(key[0])))
        units: dict[str, Unit] = {}
        for result in found:
            self._add_with_needs(self.results[result], units)
        return units

    def _add_with_needs(self, key: str, units: dict[str, Unit]) -> None:
        if key not in units:
            for need in self.units[key].needs:
                self._add_with_needs(need, units)
            units[key] = self.units[key]


def make_plan(
    table: Table,
    folder: Path,
    seeds: Sequence[int],
    overlays: Sequence[Path] = (),
    opts: Sequence[Any] = (),
    mini: bool = False,
    profile: str = "",
) -> Plan:
    """Resolve every row of every variant and return what must run.

    What wins, from the weakest: the row's configuration, the overlays, the variant, the row's own overrides, ``opts``.

    Args:
        table: the table.
        folder: the folder whose ``stages`` receives the units' folders.
        seeds: the seeds.
        overlays: overlay files for every row.
        opts: ``[KEY, VALUE, ...]``.
        mini: lay the overlays that the table names over the rows, before ``overlays``.
        profile: the same with those of this profile; variants that it does not name are left out.

    Raises:
        ConfigError: a row's configuration is wrong, or its stages refer to one another in a circle.
    """
    stages = {}
    for variant in table.profiles[profile] if profile else table.variants:
        for name, row in table.rows.items():
            if not row.gap:
                files = [table.overlay(row, variant, profile), *overlays] if mini or profile else overlays
                stages[variant, name] = _resolve(table, row, variant, files, opts)
    units: dict[str, Unit] = {}
    results: dict[tuple[str, str, int], str] = {}
    for seed in seeds:
        for (variant, name), (last, resolved) in stages.items():
            keys = {f"row:{row}": results[variant, row, seed] for row in table.rows if (variant, row, seed) in results}
            _check_rows(table.rows[name], resolved, keys)
            _add_unit(last, resolved, seed, folder / "stages", units, keys)
            results[variant, name, seed] = keys[last]
    return Plan(units, results)


@dataclass(frozen=True)
class _Stage:
    """A resolved stage of a row: its complete configuration, and the part of it that makes its key."""

    config: CfgNode
    identity: dict[str, Any]
    needs: list[str]
    rows: list[str]


def _resolve(
    table: Table, row: Row, variant: str, files: Sequence[Path], opts: Sequence[Any]
) -> tuple[str, dict[str, _Stage]]:
    """Return the name of the stage whose results the row shows, and that stage with all it needs."""
    sources = [source for source in (table.variants[variant], row.overrides) if source is not None]
    try:
        if row.config is None:
            raise ConfigError("CONFIG is missing")
        name = row.stage
        if name is None:  # without the overlays, which may speak of further stages
            name = list(stage_configs(load_config(row.config, row.opts, sources)))[-1]
        configs = stage_configs(load_config(row.config, [*row.opts, *opts], [*files, *sources], stage=name))
        stages = {
            key: _Stage(cfg, _identity(cfg), referenced_stages(cfg), referenced_rows(cfg))
            for key, cfg in configs.items()
        }
        _check_order(name, stages, ())
    except ConfigError as error:
        raise ConfigError(f"{row.where}{f' ({variant})' if variant else ''}: {error}") from None
    return name, stages


def _identity(config: CfgNode) -> dict[str, Any]:
    """Return the part of a stage's configuration that can change its results, except the seed.

    A key that has its default is left out, so that a key which the defaults gain later makes no new unit of every old
    one. A default that changes is therefore not seen, no more than any change of the code; the table's results name the
    commits that its units ran at.
    """
    differences = difference(get_cfg(), config)
    differences = {key: value for key, value in differences.items() if key not in _NOT_IDENTITY}
    return {**differences, "PLUGINS": [show_path(Path(name)) if "/" in name else name for name in config.PLUGINS]}


def _check_order(name: str, stages: Mapping[str, _Stage], above: tuple[str, ...]) -> None:
    if name in above:
        raise ConfigError(f"the stages need one another: {' -> '.join((*above, name))}")
    for other in stages[name].needs:
        _check_order(other, stages, (*above, name))


def _check_rows(row: Row, stages: Mapping[str, _Stage], keys: Mapping[str, str]) -> None:
    """Raise ConfigError if a stage refers to a row that is not above its own."""
    for other in (name for stage in stages.values() for name in stage.rows if f"row:{name}" not in keys):
        raise ConfigError(f"{row.where}: row:{other}: the row that is meant has to stand above this one, and be run")


def _add_unit(
    name: str, stages: Mapping[str, _Stage], seed: int, folder: Path, units: dict[str, Unit], keys: dict[str, str]
) -> None:
    """Add a stage's unit after those it needs; ``keys``: stage, or ``row:`` and a row above -> key of its unit."""
    if name in keys:
        return
    stage = stages[name]
    for other in stage.needs:
        _add_unit(other, stages, seed, folder, units, keys)
    identity = map_references(stage.identity, lambda other, file: f"stage:{keys[other]}/{file}")
    identity = map_references(identity, lambda row, file: f"row:{keys[f'row:{row}']}/{file}", "row")
    key = keys[name] = hashlib.sha256(json.dumps([seed, identity]).encode()).hexdigest()
    if key not in units:
        unit_folder = folder / f"{name}-{key[:8]}-s{seed}"
        config = map_references(stage.config, lambda other, file: _path(units[keys[other]], file))
        config = map_references(config, lambda row, file: _path(units[keys[f"row:{row}"]], file), "row")
        config.defrost()
        config.SEED, config.OUTPUT_DIR = seed, str(unit_folder)
        needs = tuple(keys[other] for other in (*stage.needs, *(f"row:{row}" for row in stage.rows)))
        units[key] = Unit(key, name, seed, unit_folder, fill_seed(config), needs)


def _path(unit: Unit, file: str) -> str:
    """Return the path of a unit's file, "" for its final checkpoint."""
    return str(unit.folder / file if file else unit.files.checkpoint)
