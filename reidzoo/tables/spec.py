"""Reads table files: the rows of a paper's table, the configuration that gives each, and the paper's claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reidzoo.checks import Rule
from reidzoo.config.sources import Source, in_package, read_text
from reidzoo.engine.evaluate import FIGURES
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.suggest import closest, suggestion
from reidzoo.yaml_check import TYPES, check_mapping, check_value, is_list_of_names, mistake
from reidzoo.yaml_marks import Marked, parse_yaml, unmark

__all__ = ["METRICS", "Claim", "Row", "Sweep", "Table", "is_table", "read_table"]

METRICS = FIGURES
"""The figures in a stage's ``results.json`` for each dataset it is tested on."""

_COUNT = Rule("an integer, at least 1", lambda value: type(value) is int and value > 0)
_KEY = Rule("a key or a list of keys", lambda value: isinstance(value, str) or is_list_of_names(value))
_OVERLAY = Rule("a file, or a mapping of variants to files", lambda value: isinstance(value, str | dict))
_METRICS = Rule(
    f"a list of at least one of {', '.join(METRICS)}", lambda value: isinstance(value, list) and len(value) > 0
)
_TABLE = {
    "TITLE": TYPES[str], "METRICS": _METRICS, "TARGET": TYPES[str], "SEEDS": _COUNT, "OVERLAY": _OVERLAY,
    "PROFILES": TYPES[dict], "VARIANTS": TYPES[dict], "ROWS": TYPES[dict], "SWEEPS": TYPES[dict], "CLAIMS": TYPES[list],
}  # fmt: skip
_RUN = {
    "LABEL": TYPES[str], "CONFIG": TYPES[str], "STAGE": TYPES[str], "OVERLAY": TYPES[str], "PROFILES": TYPES[dict],
    "OVERRIDES": TYPES[dict], "TARGET": TYPES[str], "PAPER": TYPES[dict],
}  # fmt: skip
_ROW = {**_RUN, "GAP": TYPES[str]}
_SWEEP = {**_RUN, "KEY": _KEY, "VALUES": TYPES[list]}
_CLAIM = dict.fromkeys(("WORSE", "BETTER", "METRIC", "VARIANT"), TYPES[str])

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
        profiles: profile -> the overlay of ``--profile`` where it is not the table's.
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
    profiles: Mapping[str, Path] = field(default_factory=dict)
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
    """A group of rows that differ in the value of one key or several.

    ``rows`` is the value, as it is written in the row's name, -> the row's name.
    """

    label: str
    rows: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """The content of a table file, checked.

    Attributes:
        path: the file.
        title: the caption of the paper's table.
        metrics: the columns: of ``METRICS``, or an entry next to the targets, such as ``probe/domain_accuracy``
            or ``pseudo_labels/purity``, or the last mean of a share that training logs: ``training/active``.
        seeds: how many seeds a row is run with, where nothing else is said.
        overlays: variant -> the overlay of ``--mini``.
        profiles: profile -> variant -> the overlay of ``--profile``; a variant that is not there cannot be run with it.
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
    profiles: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)

    def overlay(self, row: Row, variant: str, profile: str = "") -> Path:
        """Return the overlay that ``--profile``, or ``--mini``, lays over a row: the row's own, or the variant's.

        Raises:
            ConfigError: there is none.
        """
        if profile:
            return row.profiles.get(profile) or self.profiles[profile][variant]
        path = row.overlay or self.overlays.get(variant)
        if path is None:
            raise ConfigError(f"{row.where}: --mini: neither the table nor the row names an OVERLAY for this row")
        return path


def is_table(path: Path) -> bool:
    """Return whether a YAML file is a table file, and not a configuration: whether it has ROWS or SWEEPS."""
    value = parse_yaml(read_text(path), lambda line: f"{path}:{line}").value
    return isinstance(value, dict) and not {"ROWS", "SWEEPS"}.isdisjoint(value)


def read_table(path: Path) -> Table:
    """Read and check a table file.

    Raises:
        ConfigError: anything wrong in it; the message begins with the place.
    """
    return _Reader(in_package(path)).table()


class _Reader:
    """Turns the marked tree of one table file into a ``Table``."""

    def __init__(self, path: Path) -> None:
        self.path, shown = path, show_path(path)
        tree = parse_yaml(read_text(path), lambda line: f"{shown}:{line}")
        self.top = check_mapping(tree, _TABLE, "")
        self.where = tree.where

    def table(self) -> Table:
        """Return the table, or raise at the first mistake in its file."""
        self.metrics, self.variants = self._metrics(), self._variants()
        self.target = _value(self.top, "TARGET")
        nodes = _value(self.top, "PROFILES", {})
        self.profiles = {name: self._by_variant(f"PROFILES.{name}", node) for name, node in nodes.items()}
        rows = {name: self._row(name, node) for name, node in _value(self.top, "ROWS", {}).items()}
        sweeps = {}
        for name, node in _value(self.top, "SWEEPS", {}).items():
            sweeps[name], sweep_rows = self._sweep(name, node)
            for row in sweep_rows:
                if row.name in rows:
                    raise ConfigError(f"{row.where}: there is a row {row.name} already")
                rows[row.name] = row
        if not rows:
            raise ConfigError(f"{self.where}: a table needs ROWS or SWEEPS")
        return Table(
            path=self.path,
            title=_value(self.top, "TITLE") or self.path.stem,
            metrics=self.metrics,
            seeds=_value(self.top, "SEEDS", 1),
            overlays=self._by_variant("OVERLAY", self.top.get("OVERLAY")),
            profiles=self.profiles,
            variants=self.variants,
            rows=rows,
            claims=self._claims(rows),
            sweeps=sweeps,
        )

    def _metrics(self) -> tuple[str, ...]:
        if "METRICS" not in self.top:
            raise ConfigError(f"{self.where}: METRICS: missing; the metrics are {', '.join(METRICS)}")
        names = self.top["METRICS"].value
        for name in names:
            if "/" not in str(name.value):
                _check_known(name, METRICS, "METRICS", "metric")
        return tuple(name.value for name in names)

    def _variants(self) -> dict[str, Source]:
        nodes = _value(self.top, "VARIANTS", {})
        sources = {name: self._overrides(node, f"VARIANTS.{name}") for name, node in nodes.items()}
        return sources or {"": self._overrides(Marked({}, self.where), "VARIANTS")}

    def _by_variant(self, key: str, node: Marked | None) -> dict[str, Path]:
        """Return variant -> overlay of a node that names one file for all of them, or one for each."""
        if node is None:
            return {}
        check_value(node, _OVERLAY, key)
        if isinstance(node.value, dict):
            for name, child in node.value.items():
                _check_known(Marked(name, child.where), self.variants, key, "variant")
            return {name: self._file(child, f"{key}.{name}") for name, child in node.value.items()}
        return dict.fromkeys(self.variants, self._file(node, key))

    def _own_profiles(self, node: Marked | None, key: str) -> dict[str, Path]:
        """Return profile -> overlay of a row."""
        files = node.value if node else {}
        for name, child in files.items():
            _check_known(Marked(name, child.where), self.profiles, key, "profile of this table")
        return {name: self._file(child, f"{key}.{name}") for name, child in files.items()}

    def _row(self, name: str, node: Marked) -> Row:
        key = f"ROWS.{name}"
        entries = check_mapping(node, _ROW, key)
        gap = _value(entries, "GAP", "")
        if ("CONFIG" in entries) == bool(gap):
            what = "both CONFIG and GAP" if gap else "neither a CONFIG nor a GAP (the reason why it cannot be run)"
            raise mistake(node, key, f"has {what}")
        return Row(gap=gap, paper=self._paper(entries.get("PAPER"), f"{key}.PAPER"), **self._run(name, node, key))

    def _run(self, name: str, node: Marked, key: str) -> dict[str, Any]:
        """Return the arguments of ``Row`` that rows and sweeps have in common."""
        entries = node.value
        target = _value(entries, "TARGET") or self.target
        if target is None:
            raise mistake(node, key, "the table has no TARGET, and neither has the row")
        return {
            "name": name,
            "label": _value(entries, "LABEL") or name,
            "where": f"{node.where}: {key}",
            "target": target,
            "config": self._file(entries["CONFIG"], f"{key}.CONFIG") if "CONFIG" in entries else None,
            "stage": _value(entries, "STAGE"),
            "overlay": self._file(entries["OVERLAY"], f"{key}.OVERLAY") if "OVERLAY" in entries else None,
            "profiles": self._own_profiles(entries.get("PROFILES"), f"{key}.PROFILES"),
            "overrides": self._overrides(entries["OVERRIDES"], f"{key}.OVERRIDES") if "OVERRIDES" in entries else None,
        }

    def _sweep(self, name: str, node: Marked) -> tuple[Sweep, list[Row]]:
        key = f"SWEEPS.{name}"
        entries = check_mapping(node, _SWEEP, key, required=("CONFIG", "KEY", "VALUES"))
        label = _value(entries, "LABEL") or name
        options = unmark(entries["KEY"])
        options = [options] if isinstance(options, str) else options
        values = {_show(value): value for value in unmark(entries["VALUES"])}
        papers = _value(entries, "PAPER", {})
        papers = {_show(parse_yaml(value, lambda _: key).value): paper for value, paper in papers.items()}
        for value, paper in papers.items():
            _check_known(Marked(value, paper.where), values, f"{key}.PAPER", "value")
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
        by_variant = {"": node} if list(self.variants) == [""] else node.value
        paper: dict[str, dict[str, float]] = {}
        for variant, figures in by_variant.items():
            if variant:
                _check_known(Marked(variant, figures.where), self.variants, key, "variant")
            check_value(figures, TYPES[dict], f"{key}.{variant}" if variant else key)
            paper[variant] = {}
            for metric, figure in figures.value.items():
                _check_known(Marked(metric, figure.where), self.metrics, key, "metric of this table")
                paper[variant][metric] = float(check_value(figure, TYPES[float], f"{key}.{metric}"))
        return paper

    def _claims(self, rows: Mapping[str, Row]) -> list[Claim]:
        claims = []
        for node in _value(self.top, "CLAIMS", []):
            entries = check_mapping(node, _CLAIM, "CLAIMS", required=("WORSE", "BETTER", "METRIC"))
            for side in ("WORSE", "BETTER"):
                _check_known(entries[side], rows, f"CLAIMS.{side}", "row")
            _check_known(entries["METRIC"], self.metrics, "CLAIMS.METRIC", "metric of this table")
            variants = tuple(self.variants)
            if "VARIANT" in entries:
                _check_known(entries["VARIANT"], self.variants, "CLAIMS.VARIANT", "variant")
                variants = (entries["VARIANT"].value,)
            worse, better, metric = (entries[name].value for name in ("WORSE", "BETTER", "METRIC"))
            claims.append(Claim(worse, better, metric, variants))
        return claims

    def _overrides(self, node: Marked, key: str) -> Source:
        check_value(node, TYPES[dict], key)
        return Source(node, self.path.parent)

    def _file(self, node: Marked, key: str) -> Path:
        path = self.path.parent / check_value(node, TYPES[str], key)
        if not path.is_file():
            names = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
            match = closest(path.name, names, 0.6)
            hint = f"; did you mean {match}?" if match else ""
            raise mistake(node, key, f"no file {show_path(path)}{hint}")
        return path


def _value(entries: Mapping[str, Marked], key: str, default: Any = None) -> Any:
    return entries[key].value if key in entries else default


def _check_known(name: Marked, names: Iterable[str], key: str, noun: str) -> None:
    """Check that ``name``, given at ``key``, is one of ``names``; ``noun`` says what they are names of."""
    names = list(names)
    if name.value not in names:
        hint = suggestion(str(name.value), names, f"there are {', '.join(names) or 'none'}")
        raise mistake(name, key, f"there is no {noun} {name.value}; {hint}")


def _show(value: Any) -> str:
    """Return a sweep's value as YAML would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
