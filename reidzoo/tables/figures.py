"""The figures of a row at one seed: read from the unit that gave them, or from the table's record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidzoo.errors import UserError
from reidzoo.tables.spec import Row, Table
from reidzoo.tables.units import Plan, Unit

__all__ = ["Figures", "Record"]

TRAINING = "training"
"""What stands before a metric that the training logs."""
_TWIN = " twin"


@dataclass(frozen=True)
class Figures:
    """The figures of a row at one seed.

    Attributes:
        unit: the key of the unit that gave them.
        tested_on: the dataset, its key followed by "twin" where it is rendered.
        values: metric -> percent; a metric that the unit did not measure is missing.
        stops: stage -> ``kept_epoch`` and ``untrained``, of the stages up to the unit's that were stopped early.
    """

    unit: str
    tested_on: str
    values: Mapping[str, float]
    stops: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, table: Table, row: Row, plan: Plan, unit: Unit) -> Figures:
        """Read those of ``row`` from a unit that is done.

        Raises:
            UserError: the unit was not tested on the row's TARGET.
        """
        results = unit.results()
        tested_on, figures = _target(row, results)
        beside = {**results, TRAINING: unit.training()}
        found = {metric: _look_up(metric, figures, beside) for metric in table.metrics}
        values = {metric: 100 * figure for metric, figure in found.items() if figure is not None}
        return cls(unit.key, tested_on, values, _stops(plan, unit))


class Record:
    """A table on record, for what has run at another time or on another machine.

    Args:
        results: what ``collect`` returned for the same table and profile; by default an empty record.
        beside: the same of other tables of the project, whose rows may be runs of this one's.

    Attributes:
        before: ``commits``, ``torch``, ``run_threads``, ``units`` and ``seconds`` of runs that are known only together.
    """

    def __init__(self, results: Mapping[str, Any] | None = None, beside: Sequence[Mapping[str, Any]] = ()) -> None:
        results = results or {"rows": (), "environment": {}}
        self._rows = [row for record in (results, *beside) for row in record["rows"]]
        self._runs = {}
        for record in (*reversed(beside), results):
            self._runs.update(record["environment"].get("runs", {}))
        self.before: dict[str, Any] = results["environment"].get("before", {})

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read the file of a record, and those of other tables beside it; an empty record where there is none."""
        own = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        beside = (file for file in sorted(path.parent.glob("*.json")) if file != path)
        others = (json.loads(file.read_text(encoding="utf-8")) for file in beside)
        return cls(own, [record for record in others if "claims" in record])  # a figure's file is no table

    def figures(self, row: Row, metrics: Sequence[str], seed: int, key: str) -> Figures | None:
        """Return the figures of a row at a seed if the unit ``key`` gave them, whose configuration is thus the same.

        They may be of a row with another name, or of another table that has most of these metrics.
        """
        found = [figures for entry in self._rows for figures in _recorded(entry, row, seed, key)]
        return max(found, key=lambda figures: len(figures.values.keys() & set(metrics)), default=None)

    def run(self, key: str) -> dict[str, Any]:
        """Return ``name``, ``commit``, ``torch``, ``threads`` and ``seconds`` of a unit's run, or nothing."""
        return dict(self._runs.get(key, {}))


def _recorded(entry: Mapping[str, Any], row: Row, seed: int, key: str) -> Iterator[Figures]:
    """Yield what a row on record has of a unit at a seed, if it was tested on the target of ``row``."""
    for cell in entry["variants"].values():
        if cell.get("units", {}).get(str(seed)) == key and entry["tested_on"] in _names(row):
            values = _at(seed, {metric: summary["values"] for metric, summary in cell["metrics"].items()})
            stops = {stage: _at(seed, stop) for stage, stop in cell.get("stops", {}).items()}
            yield Figures(key, entry["tested_on"], values, {stage: stop for stage, stop in stops.items() if stop})


def _at(seed: int, by_seed: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the figures that each has at ``seed``, of those that have one."""
    return {name: figures[str(seed)] for name, figures in by_seed.items() if str(seed) in figures}


def _stops(plan: Plan, unit: Unit) -> dict[str, dict[str, float]]:
    """Return the epochs that early stopping kept in a unit and in those it needs: stage -> ``kept_epoch``, ..."""
    stops: dict[str, dict[str, float]] = {}
    for needed in unit.needs:
        stops.update(_stops(plan, plan.units[needed]))
    validation = unit.results().get("validation", {}) if unit.files.results.exists() else {}
    if "kept_epoch" in validation:
        stops[unit.stage] = {name: validation[name] for name in validation if name in ("kept_epoch", "untrained")}
    return stops


def _target(row: Row, results: Mapping[str, Mapping[str, float]]) -> tuple[str, Mapping[str, float]]:
    """Return the results on the row's target, whose key is followed by "twin" where it is rendered."""
    for name, figures in results.items():
        if name in _names(row):
            return name, figures
    raise UserError(f"{row.where}: TARGET {row.target}: tested on {', '.join(results) or 'nothing'} only")


def _names(row: Row) -> tuple[str, str]:
    """Return the names that results may have for the row's target."""
    return row.target, row.target + _TWIN


def _look_up(metric: str, figures: Mapping[str, float], results: Mapping[str, Any]) -> float | None:
    """Return a figure of the target, or ``probe/domain_accuracy`` or ``training/active``; a stage need not have it."""
    entry, _, key = metric.partition("/")
    return results.get(entry, {}).get(key) if key else figures.get(metric)
