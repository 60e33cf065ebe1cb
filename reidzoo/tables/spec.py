"""The table file: which rows a paper's table has, which configuration gives each, and what the paper claims of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reidzoo.config.sources import Source
from reidzoo.engine.evaluate import FIGURES
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.suggest import closest
from reidzoo.yaml_marks import Marked, parse_yaml, unmark

__all__ = ["METRICS", "Claim", "Row", "Sweep", "Table", "is_table", "read_table"]

METRICS = FIGURES
"""What a stage's ``results.json`` holds for each dataset it is tested on."""

_TABLE_KEYS = ("TITLE", "METRICS", "TARGET", "SEEDS", "OVERLAY", "VARIANTS", "ROWS", "SWEEPS", "CLAIMS")
_ROW_KEYS = ("LABEL", "CONFIG", "STAGE", "OVERLAY", "OVERRIDES", "TARGET", "GAP", "PAPER")
_SWEEP_KEYS = ("LABEL", "CONFIG", "STAGE", "OVERLAY", "OVERRIDES", "TARGET", "KEY", "VALUES", "PAPER")
_CLAIM_KEYS = ("WORSE", "BETTER", "METRIC", "VARIANT")
_KINDS = {str: "a string", int: "an integer", list: "a list", dict: "a mapping"}

Paper = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: its key in the file.
        label: the paper's name for it.
        where: its place in the file.
        target: the dataset that it is tested on, by the first word of its key in ``results.json``.
        paper: variant -> metric -> the paper's figure, in percent.
        config: the configuration file; None for a gap.
        stage: the stage whose results these are; None for the configuration's last.
        overlay: the overlay of ``--mini`` where it is not the table's; None where it is.
        overrides: what differs from the configuration.
        opts: the same as ``[KEY, VALUE, ...]``; what a sweep varies.
        gap: why the row cannot be run; "" if it can.
    """

    name: str
    label: str
    where: str
    target: str
    paper: Paper
    config: Path | None = None
    stage: str | None = None
    overlay: Path | None = None
    overrides: Source | None = None
    opts: tuple[Any, ...] = ()
    gap: str = ""


@dataclass(frozen=True)
class Claim:
    """An ordering that the paper claims: row ``better`` has more of ``metric`` than row ``worse``."""

    worse: str
    better: str
    metric: str
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Sweep:
    """Rows that differ in the value of one key or several.

    ``rows`` is the value, as it is written in the row's name, -> the row's name.
    """

    label: str
    rows: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A table file, checked.

    Attributes:
        path: the file.
        title: the caption of the paper's table.
        metrics: the columns: of ``METRICS``, or such as ``probe/domain_accuracy``, which is beside the targets.
        seeds: how many seeds a row is run with, where nothing else is said.
        overlays: variant -> the overlay of ``--mini``.
        variants: name -> what it overrides in every row; the name of an only variant may be "".
        rows: name -> row, in the paper's order; the rows of sweeps come last.
        claims: the orderings that the paper claims.
        sweeps: the sweeps by name.
    """

    path: Path
    title: str
    metrics: tuple[str, ...]
    seeds: int
    overlays: Mapping[str, Path]
    variants: Mapping[str, Source]
    rows: Mapping[str, Row]
    claims: Sequence[Claim] = ()
    sweeps: Mapping[str, Sweep] = field(default_factory=dict)

    def overlay(self, row: Row, variant: str) -> Path:
        """Return what ``--mini`` lays over a row: its own overlay, or the variant's.

        Raises:
            ConfigError: there is none.
        """
        path = row.overlay or self.overlays.get(variant)
        if path is None:
            raise ConfigError(f"{row.where}: --mini: neither the table nor the row names an OVERLAY for this row")
        return path


def is_table(path: Path) -> bool:
    """Return whether a YAML file is a table file, and not a configuration: whether it has ROWS or SWEEPS."""
    value = parse_yaml(path.read_text(encoding="utf-8"), lambda line: f"{path}:{line}").value
    return isinstance(value, dict) and not {"ROWS", "SWEEPS"}.isdisjoint(value)


def read_table(path: Path) -> Table:
    """Read and check a table file.

    Raises:
        ConfigError: anything wrong in it; the message begins with the place.
    """
    return _Reader(path).table()


class _Reader:
    """Turns the marked tree of one table file into a ``Table``."""

    def __init__(self, path: Path) -> None:
        self.path, shown = path, show_path(path)
        if not path.is_file():
            raise ConfigError(f"{shown}: no such file")
        tree = parse_yaml(path.read_text(encoding="utf-8"), lambda line: f"{shown}:{line}")
        self.top = _entries(tree, "", _TABLE_KEYS)
        self.place = tree.where

    def table(self) -> Table:
        """Return the table, or raise at the first thing that is wrong in its file."""
        self.metrics, self.variants = self._metrics(), self._variants()
        self.target = _typed(self.top.get("TARGET"), "TARGET", str)
        nodes = _typed(self.top.get("ROWS"), "ROWS", dict) or {}
        rows = {name: self._row(name, node) for name, node in nodes.items()}
        sweeps = {}
        for name, node in (_typed(self.top.get("SWEEPS"), "SWEEPS", dict) or {}).items():
            sweeps[name], swept = self._sweep(name, node)
            for row in swept:
                if row.name in rows:
                    raise ConfigError(f"{row.where}: there is a row {row.name} already")
                rows[row.name] = row
        if not rows:
            raise ConfigError(f"{self.place}: a table needs ROWS or SWEEPS")
        return Table(
            path=self.path,
            title=_typed(self.top.get("TITLE"), "TITLE", str) or self.path.stem,
            metrics=self.metrics,
            seeds=self._seeds(),
            overlays=self._overlays(),
            variants=self.variants,
            rows=rows,
            claims=self._claims(rows),
            sweeps=sweeps,
        )

    def _seeds(self) -> int:
        node = self.top.get("SEEDS")
        seeds = _typed(node, "SEEDS", int)
        if seeds is not None and seeds < 1:
            raise ConfigError(f"{node.where}: SEEDS: expected at least 1, got {seeds}")
        return seeds or 1

    def _metrics(self) -> tuple[str, ...]:
        node = self.top.get("METRICS")
        if node is None:
            raise ConfigError(f"{self.place}: METRICS: missing; the metrics are {', '.join(METRICS)}")
        names = _typed(node, "METRICS", list)
        for name in names:
            if "/" not in str(name.value):
                _known(name.value, METRICS, f"{name.where}: METRICS", "metric")
        if not names:
            raise ConfigError(f"{node.where}: METRICS: expected at least one of {', '.join(METRICS)}")
        return tuple(name.value for name in names)

    def _variants(self) -> dict[str, Source]:
        nodes = _typed(self.top.get("VARIANTS"), "VARIANTS", dict) or {}
        sources = {name: self._overrides(node, f"VARIANTS.{name}") for name, node in nodes.items()}
        return sources or {"": self._overrides(Marked({}, self.place), "VARIANTS")}

    def _overlays(self) -> dict[str, Path]:
        node = self.top.get("OVERLAY")
        if node is None:
            return {}
        if isinstance(node.value, dict):
            for name, child in node.value.items():
                _known(name, self.variants, f"{child.where}: OVERLAY", "variant")
            return {name: self._file(child, f"OVERLAY.{name}") for name, child in node.value.items()}
        return dict.fromkeys(self.variants, self._file(node, "OVERLAY"))

    def _row(self, name: str, node: Marked) -> Row:
        key = f"ROWS.{name}"
        entries = _entries(node, key, _ROW_KEYS)
        gap = _typed(entries.get("GAP"), f"{key}.GAP", str) or ""
        if ("CONFIG" in entries) == bool(gap):
            what = "both CONFIG and GAP" if gap else "neither a CONFIG nor a GAP (the reason why it cannot be run)"
            raise ConfigError(f"{node.where}: {key}: has {what}")
        return Row(gap=gap, paper=self._paper(entries.get("PAPER"), f"{key}.PAPER"), **self._run(name, node, key))

    def _run(self, name: str, node: Marked, key: str) -> dict[str, Any]:
        """Return what rows and sweeps both say."""
        entries = node.value
        target = _typed(entries.get("TARGET"), f"{key}.TARGET", str) or self.target
        if target is None:
            raise ConfigError(f"{node.where}: {key}: the table has no TARGET, and neither has the row")
        return {
            "name": name,
            "label": _typed(entries.get("LABEL"), f"{key}.LABEL", str) or name,
            "where": f"{node.where}: {key}",
            "target": target,
            "config": self._file(entries["CONFIG"], f"{key}.CONFIG") if "CONFIG" in entries else None,
            "stage": _typed(entries.get("STAGE"), f"{key}.STAGE", str),
            "overlay": self._file(entries["OVERLAY"], f"{key}.OVERLAY") if "OVERLAY" in entries else None,
            "overrides": self._overrides(entries["OVERRIDES"], f"{key}.OVERRIDES") if "OVERRIDES" in entries else None,
        }

    def _sweep(self, name: str, node: Marked) -> tuple[Sweep, list[Row]]:
        key = f"SWEEPS.{name}"
        entries = _entries(node, key, _SWEEP_KEYS)
        for needed in ("CONFIG", "KEY", "VALUES"):
            if needed not in entries:
                raise ConfigError(f"{node.where}: {key}: {needed} is missing")
        label = _typed(entries.get("LABEL"), f"{key}.LABEL", str) or name
        options = _strings(entries["KEY"], f"{key}.KEY")
        values = {_show(value.value): unmark(value) for value in _typed(entries["VALUES"], f"{key}.VALUES", list)}
        papers = _typed(entries.get("PAPER"), f"{key}.PAPER", dict) or {}
        papers = {_show(parse_yaml(value, lambda _: key).value): paper for value, paper in papers.items()}
        for value, paper in papers.items():
            _known(value, values, f"{paper.where}: {key}.PAPER", "value")
        rows = []
        for shown, value in values.items():
            run = self._run(f"{name}={shown}", node, key)
            run["label"] = f"{label} = {shown}"
            paper = self._paper(papers.get(shown), f"{key}.PAPER.{shown}")
            opts = tuple(text for option in options for text in (option, value))
            rows.append(Row(opts=opts, paper=paper, **run))
        return Sweep(label, dict(zip(values, [row.name for row in rows]))), rows

    def _paper(self, node: Marked | None, key: str) -> dict[str, dict[str, float]]:
        """Return variant -> metric -> figure; without VARIANTS the file gives the metrics at once."""
        if node is None:
            return {}
        given = _typed(node, key, dict)
        if list(self.variants) == [""]:
            given = {"": node}
        paper = {}
        for variant, figures in given.items():
            if variant:
                _known(variant, self.variants, f"{figures.where}: {key}", "variant")
            paper[variant] = {}
            for metric, figure in _typed(figures, f"{key}.{variant}", dict).items():
                _known(metric, self.metrics, f"{figure.where}: {key}", "metric of this table")
                if type(figure.value) not in (int, float):
                    raise ConfigError(f"{figure.where}: {key}: {metric}: expected a number, got {figure.value!r}")
                paper[variant][metric] = float(figure.value)
        return paper

    def _claims(self, rows: Mapping[str, Row]) -> list[Claim]:
        claims = []
        for node in _typed(self.top.get("CLAIMS"), "CLAIMS", list) or []:
            entries = _entries(node, "CLAIMS", _CLAIM_KEYS)
            for needed in ("WORSE", "BETTER", "METRIC"):
                if needed not in entries:
                    raise ConfigError(f"{node.where}: CLAIMS: {needed} is missing")
            for side in ("WORSE", "BETTER"):
                _known(entries[side].value, rows, f"{entries[side].where}: CLAIMS.{side}", "row")
            _known(entries["METRIC"].value, self.metrics, f"{node.where}: CLAIMS.METRIC", "metric of this table")
            variants = tuple(self.variants)
            if "VARIANT" in entries:
                variants = (entries["VARIANT"].value,)
                _known(variants[0], self.variants, f"{node.where}: CLAIMS.VARIANT", "variant")
            worse, better, metric = (entries[name].value for name in ("WORSE", "BETTER", "METRIC"))
            claims.append(Claim(worse, better, metric, variants))
        return claims

    def _overrides(self, node: Marked, key: str) -> Source:
        _typed(node, key, dict)
        return Source(node, self.path.parent)

    def _file(self, node: Marked, key: str) -> Path:
        path = self.path.parent / _typed(node, key, str)
        if not path.is_file():
            names = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
            near = closest(path.name, names, 0.6)
            hint = f"; did you mean {near}?" if near else ""
            raise ConfigError(f"{node.where}: {key}: no file {show_path(path)}{hint}")
        return path


def _known(name: Any, names: Iterable[str], where: str, what: str) -> None:
    """Check that ``name`` is one of ``names``."""
    names = list(names)
    if name in names:
        return
    near = closest(str(name), names, 0.5)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(names) or 'none'}"
    raise ConfigError(f"{where}: there is no {what} {name}; {hint}")


def _entries(node: Marked, key: str, known: Sequence[str]) -> dict[str, Marked]:
    """Return the entries of a mapping whose keys must be ``known``."""
    if not isinstance(node.value, dict):
        raise ConfigError(f"{node.where}: {key or 'a table file'}: expected a mapping with {', '.join(known)}")
    for name, child in node.value.items():
        _known(name, known, f"{child.where}: {key}" if key else child.where, "key")
    return node.value


def _typed(node: Marked | None, key: str, kind: type) -> Any:
    """Return the value of a node that must be of ``kind``; None where there is no node."""
    if node is None:
        return None
    if type(node.value) is not kind:
        raise ConfigError(f"{node.where}: {key}: expected {_KINDS[kind]}, got {unmark(node)!r}")
    return node.value


def _strings(node: Marked, key: str) -> list[str]:
    """Return the strings of a list, or the one that stands for a list."""
    return [_typed(child, key, str) for child in (node.value if isinstance(node.value, list) else [node])]


def _show(value: Any) -> str:
    """Return a sweep's value as YAML would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
