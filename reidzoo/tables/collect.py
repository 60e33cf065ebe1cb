"""Collects a table's results as one plain dict, from what has run here and from what is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reidzoo.runs.environment import environment
from reidzoo.tables.figures import Figures, Record
from reidzoo.tables.spec import Claim, Row, Table
from reidzoo.tables.statistics import interval, seeds_needed, verdict
from reidzoo.tables.units import Plan, Unit

__all__ = ["collect"]


def collect(
    table: Table, plan: Plan, seeds: Sequence[int], command: str, profile: str = "", record: Record | None = None
) -> dict[str, Any]:
    """Return the results of a table from the units that are done: figures in percent.

    Args:
        table: the table.
        plan: its units.
        seeds: the seeds to show.
        command: what runs the table.
        profile: the profile that the rows were run with, for the title.
        record: where the figures of units that are not done here stand, if they are the same units.

    Returns:
        ``title``, ``metrics``, ``seeds``, ``variants``, ``twins`` (whether a dataset is a rendered twin), ``rows``
        (``name``, ``label``, ``gap``, ``tested_on``, and per variant ``done`` (how many seeds), ``paper``, ``units``
        (the unit's key by seed), and per metric ``values`` by seed, ``mean``, ``interval``; and ``stops``, stage ->
        ``kept_epoch`` and ``untrained`` by seed, where training was stopped early), ``claims`` (``values``: better -
        worse by seed, their ``mean`` and ``interval``, the ``paper``'s difference, how many seeds are ``needed`` to
        see that, ``verdict``), ``sweeps`` (name -> ``label`` and, by value, the names of its ``rows``),
        ``environment``, in which ``runs`` has what is known of each unit's run, and ``before`` of all those together
        that a record of an older version had.

    Raises:
        UserError: a unit was not tested on its row's TARGET.
    """
    record = record or Record()
    rows = {name: _row(table, row, plan, seeds, record) for name, row in table.rows.items()}
    return {
        "title": f"{table.title} (profile {profile})" if profile else table.title,
        "metrics": list(table.metrics),
        "seeds": list(seeds),
        "variants": plan.variants,
        "twins": any(row["tested_on"].endswith(" twin") for row in rows.values()),
        "rows": list(rows.values()),
        "claims": [
            _claim(claim, variant, rows)
            for claim in table.claims
            for variant in claim.variants
            if variant in plan.variants
        ],
        "sweeps": {name: {"label": sweep.label, "rows": dict(sweep.rows)} for name, sweep in table.sweeps.items()},
        "environment": {**environment(), "command": command, **_runs(plan, record)},
    }


def _runs(plan: Plan, record: Record) -> dict[str, Any]:
    """Return what is known of the runs of the plan's units, one by one and together."""
    runs = {key: _run(unit) if unit.done else record.run(key) for key, unit in plan.units.items()}
    runs = {key: run for key, run in runs.items() if run}
    before = record.before
    return {
        "commits": sorted({run["commit"] for run in runs.values()} | set(before.get("commits", ()))),
        "torch": ", ".join(sorted({run["torch"] for run in [*runs.values(), before] if run})) or environment()["torch"],
        "run_threads": sorted({run["threads"] for run in runs.values()} | set(before.get("run_threads", ()))),
        "units": len(runs) + before.get("units", 0),
        "seconds": round(sum(run["seconds"] for run in runs.values())) + before.get("seconds", 0),
        "runs": runs,
        **({"before": before} if before else {}),
    }


def _run(unit: Unit) -> dict[str, Any]:
    told = {key: unit.environment(key) for key in ("commit", "torch", "threads")}
    return {"name": unit.name, **told, "seconds": unit.seconds}


def _row(table: Table, row: Row, plan: Plan, seeds: Sequence[int], record: Record) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": row.name, "label": row.label, "gap": row.gap, "tested_on": "", "variants": {}}
    for variant in plan.variants:
        by_seed: dict[str, Figures] = {}
        for seed in seeds if not row.gap else ():
            unit = plan.units[plan.results[variant, row.name, seed]]
            figures = record.figures(row, table.metrics, seed, unit.key)
            if unit.done:
                figures = Figures.of(table, row, plan, unit)
            if figures:
                by_seed[str(seed)], entry["tested_on"] = figures, figures.tested_on
        entry["variants"][variant] = _cell(table, dict(row.paper.get(variant, {})), by_seed)
    return entry


def _cell(table: Table, paper: Mapping[str, float], by_seed: Mapping[str, Figures]) -> dict[str, Any]:
    stops: dict[str, dict[str, dict[str, float]]] = {}
    for seed, figures in by_seed.items():
        for stage, stop in figures.stops.items():
            for name, figure in stop.items():
                stops.setdefault(stage, {}).setdefault(name, {})[seed] = figure
    values = {
        metric: {seed: figures.values[metric] for seed, figures in by_seed.items() if metric in figures.values}
        for metric in table.metrics
    }
    return {
        "done": len(by_seed),
        "paper": paper,
        "units": {seed: figures.unit for seed, figures in by_seed.items()},
        "metrics": {metric: _summary(figures) for metric, figures in values.items()},
        **({"stops": stops} if stops else {}),
    }


def _summary(by_seed: Mapping[str, float]) -> dict[str, Any]:
    values = list(by_seed.values())
    mean = sum(values) / len(values) if values else None
    bounds = interval(values)
    return {"values": dict(by_seed), "mean": mean, "interval": bounds and list(bounds)}


def _claim(claim: Claim, variant: str, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    worse, better = (rows[name]["variants"][variant] for name in (claim.worse, claim.better))
    by_seed = [side["metrics"][claim.metric]["values"] for side in (worse, better)]
    differences = {seed: by_seed[1][seed] - by_seed[0][seed] for seed in by_seed[0] if seed in by_seed[1]}
    papers = [side["paper"].get(claim.metric) for side in (worse, better)]
    paper = papers[1] - papers[0] if None not in papers else None
    return {
        "worse": claim.worse,
        "better": claim.better,
        "metric": claim.metric,
        "variant": variant,
        **_summary(differences),
        "paper": paper,
        "needed": seeds_needed(list(differences.values()), paper or 0.0),
        "verdict": verdict(list(differences.values())),
    }
