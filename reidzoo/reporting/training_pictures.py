"""Pictures of a training: from what its run has written down, without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reidzoo.hooks.timeline import timeline_plot
from reidzoo.reporting.clusters import clusters
from reidzoo.reporting.picture import Picture, Table
from reidzoo.reporting.run_record import RunRecord, StageRecord
from reidzoo.visualization import Points, held, progress_plot, training_curves_plot

__all__ = ["TRAINING_PICTURES"]

ROWS = 12
"""Rows of a table of curves: as many epochs, from the first to the last."""
SHARES = {
    "purity": "purity",
    "pair_precision": "pair precision",
    "pair_recall": "pair recall",
    "cross_camera_recall": "recall over cameras",
}


def losses(record: RunRecord) -> Picture | None:
    """Return the losses over the epochs, with stages and phases."""
    curves = record.losses()
    if not curves:
        return None
    text = "The mean of each loss over the last steps."
    if record.phases:
        text += " A tint is a phase: where a loss has no line, its phase did not train."
    svg = training_curves_plot(curves, "Losses", record.spans, record.phases)
    return Picture("losses", "Losses", text, svg, table=_table(curves, "{:.4g}"))


def rates(record: RunRecord) -> Picture | None:
    """Return the learning rates over the epochs."""
    curves = {name.removeprefix("lr/"): points for name, points in record.rates().items()}
    if not curves:
        return None
    text = "By optimizer."
    if record.phases:
        text += " Where a rate has no line, its optimizer took no step."
    svg = training_curves_plot(curves, "Learning rates", record.spans, record.phases, held)
    return Picture("rates", "Learning rates", text, svg, table=_table(curves, "{:.3g}"))


def progress(record: RunRecord) -> Picture | None:
    """Return mAP, ranks and mINP over the epochs."""
    measures = record.measures()
    if not measures:
        return None
    chosen = {
        target: {name: points for name, points in curves.items() if name != "rank-20"}
        for target, curves in measures.items()
    }
    flat = {f"{target}, {name}": points for target, curves in chosen.items() for name, points in curves.items()}
    text = f"What evaluations found. {_chosen_by(record.stages[-1])}"
    return Picture("progress", "Retrieval", text, progress_plot(chosen, "Retrieval", record.spans), table=_table(flat))


def _chosen_by(stage: StageRecord) -> str:
    """Return what chose the epoch of a stage's model."""
    if not stage.files.finished:
        return "The test sets choose nothing."
    kept = stage.files.read_results().get("validation", {}).get("kept_epoch")
    if kept is None:
        return "The test sets chose nothing: the last epoch's model is the one reported."
    return f"The test sets chose nothing: the model reported is of the stage's epoch {kept:g}, chosen by validation."


def label_quality(record: RunRecord) -> Picture | None:
    """Return the quality of the pseudo labels over the epochs."""
    points = record.labels()
    if not points:
        return None
    shares: dict[str, Points] = {
        name: [(epoch, 100 * quality[key]) for epoch, quality in points if key in quality]
        for key, name in SHARES.items()
    }
    shares = {name: values for name, values in shares.items() if values}
    counts: dict[str, Points] = {
        name: [(epoch, quality[name]) for epoch, quality in points] for name in ("clusters", "outliers")
    }
    text = "How many clusters there are, and how many images are in none."
    if shares:
        text = (
            "Clusters against the true identities, which training does not see. Purity falls where a cluster has "
            "several people; recall over cameras, where a person's images are in several clusters."
        )
    table = _table({**shares, **counts})
    panels = {"against the true identities, %": shares} if shares else {}
    svg = progress_plot({**panels, "number": counts}, "Pseudo labels", record.spans, "")
    return Picture("label-quality", "Pseudo labels", text, svg, table=table)


def alternation(record: RunRecord) -> Picture | None:
    """Return the turns of an alternation by thresholds; the last one, where several stages have one."""
    found = [stage for stage in record.stages if stage.alternation]
    if not found:
        return None
    turns = found[-1].alternation or {}
    rows = [
        (
            str(switch["number"]),
            str(switch["iter"]),
            f"{switch['from']} → {switch['to']}",
            _words(switch["measured"]),
            _words(switch["thresholds"]),
        )
        for switch in turns["switches"]
    ]
    table = Table(("decision", "step", "action", "measured", "thresholds"), rows)
    svg = timeline_plot(turns, found[-1].begin, [name for *_, name in record.phases])
    text = "What was measured on held-out images, which phase a turn trained, and the thresholds that decided on it."
    return Picture("alternation", "Turns", text, svg, table=table)


TRAINING_PICTURES: dict[str, Callable[[RunRecord], Picture | None]] = {
    "progress": progress,
    "losses": losses,
    "rates": rates,
    "label-quality": label_quality,
    "alternation": alternation,
    "clusters": clusters,
}
"""Kind -> what makes the picture of a run; None where the run has nothing of the kind."""


def _words(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def _table(curves: Mapping[str, Points], form: str = "{:.1f}") -> Table:
    """Return the curves' values at the ends of up to ``ROWS`` epochs."""
    epochs = sorted({epoch for points in curves.values() for epoch, _ in points})
    chosen = _spread(epochs, ROWS)
    values = {name: dict(points) for name, points in curves.items()}
    rows = [
        (f"{epoch:.4g}", *(form.format(values[name][epoch]) if epoch in values[name] else "" for name in curves))
        for epoch in chosen
    ]
    return Table(("epoch", *curves), rows)


def _spread(values: Sequence[float], count: int) -> list[float]:
    """Return ``count`` of the values, the first and the last among them."""
    if len(values) <= count:
        return list(values)
    return [values[round(place * (len(values) - 1) / (count - 1))] for place in range(count)]
