"""Tests direct transfer: trained models on many datasets, shown as a matrix and as a scatter plot."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from reidzoo.datasets.nodes import Node, as_mapping, is_same_dataset
from reidzoo.files import show_path
from reidzoo.runs.find_model import TrainedModel
from reidzoo.runs.pipeline import Pipeline
from reidzoo.visualization import svg_text
from reidzoo.weights.cache import sha256_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_scatter", "evaluate_model", "matrix", "scatter"]

METRICS = ("mAP", "rank-1")


def evaluate_model(
    model: TrainedModel, targets: Sequence[Node], opts: Sequence[str] = (), overlays: Sequence[str] = ()
) -> dict[str, Any]:
    """Test a model on every target, with its configuration's TEST.

    Returns:
        ``name``, ``config``, ``stage``, ``weights``, their ``sha256``, ``sources`` (their types), and ``results``:
        title (which tells twins) -> ``own``, whether the model was trained on this dataset, and the metrics, fractions
        in [0, 1].
    """
    tests = ["DATASETS.TESTS", json.dumps(list(targets))]
    pipeline = Pipeline(model.read_config([*opts, *tests], overlays))
    (figures_of,) = pipeline.evaluate(str(model.weights), model.stage).values()
    results = {
        title: {"own": any(is_same_dataset(target, source) for source in model.sources), **figures}
        for target, (title, figures) in zip(targets, figures_of.items(), strict=True)
    }
    facts = {"config": show_path(model.config), "stage": model.stage, "weights": show_path(model.weights)}
    facts["sha256"] = sha256_of(model.weights)
    sources = list(dict.fromkeys(as_mapping(source)["type"] for source in model.sources))
    return {"name": model.name, **facts, "sources": sources, "results": results}


def matrix(rows: Sequence[Mapping[str, Any]], form: str = "simple") -> str:
    """Return models x targets with mAP and rank-1 in percent; a star marks a dataset that the model was trained on.

    Args:
        rows: what ``evaluate_model`` returned, of the same targets.
        form: ``"simple"`` for the screen, ``"pipe"`` for Markdown.
    """
    titles = list(rows[0]["results"])
    if form == "pipe":  # Markdown's cells have one line
        figures = [f"{title} {metric}" for title in titles for metric in METRICS]
    else:
        figures = [f"{title if metric == METRICS[0] else ''}\n{metric}" for title in titles for metric in METRICS]
    head = ["model", "trained on", *figures]
    lines = []
    for row in rows:
        line = [row["name"], " + ".join(row["sources"])]
        for title in titles:
            result = row["results"][title]
            line += [f"{100 * result[metric]:.1f}{'*' if result['own'] else ''}" for metric in METRICS]
        lines.append(line)
    notes = ["* trained on the training images of this dataset; all others are direct transfer."]
    if any(title.endswith(" twin") for title in titles):
        notes.append("Twins are rendered drawings in the real datasets' layouts.")
    return tabulate(lines, head, tablefmt=form, disable_numparse=True) + "\n\n" + " ".join(notes)


def scatter(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return Fig. 2 of ADIN (Yuan et al., WACV 2020) as SVG: rank-1 on the own dataset against that on the others.

    Returns:
        The picture, a mark for each model and target it was not trained on; "" where no model was tested on its own
        dataset and on another one.
    """
    points = list(_transfers(rows))
    if not points:
        return ""
    lines = [f"{name}: {x:.1f} % on its own dataset, {y:.1f} % on {target}" for name, target, x, y in points]
    return svg_text(partial(draw_scatter, points=points), "One dataset and direct transfer", "\n".join(lines), 460)


def draw_scatter(figure: Figure, points: Sequence[tuple[str, str, float, float]]) -> None:
    """Draw ``points`` (model, target, rank-1 on its own dataset, rank-1 on the target) on a matplotlib figure.

    A target is a colour and a model a shape: names next to the marks would cover one another.
    """
    axes = figure.subplots()
    axes.set(xlabel="rank-1 on the dataset trained on, %", ylabel="rank-1 on another dataset, %")
    colours = {target: f"C{n}" for n, target in enumerate(dict.fromkeys(point[1] for point in points))}
    shapes = dict(zip(dict.fromkeys(point[0] for point in points), itertools.cycle("os^DvPX*<>phHd8")))
    for name, target, x, y in points:
        axes.plot(x, y, shapes[name], color=colours[target], alpha=0.85, markersize=7)
    for target, colour in colours.items():
        axes.plot([], [], "s", color=colour, label=f"tested on {target}")
    for name, shape in shapes.items():
        axes.plot([], [], shape, color="#555555", label=f"model {name}")


def _transfers(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, float, float]]:
    """Yield model, target and rank-1 in percent on the datasets trained on, their mean, and on the target."""
    for row in rows:
        own_ranks = [100 * result["rank-1"] for result in row["results"].values() if result["own"]]
        for title, result in row["results"].items():
            if own_ranks and not result["own"]:
                yield row["name"], title, sum(own_ranks) / len(own_ranks), 100 * result["rank-1"]
