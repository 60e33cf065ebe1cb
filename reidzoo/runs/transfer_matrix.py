"""Direct transfer: trained models, each tested on many datasets, as a matrix and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from reidzoo.config import load_config
from reidzoo.datasets.nodes import Node, as_mapping, is_same_dataset
from reidzoo.files import show_path
from reidzoo.runs.find_model import TrainedModel
from reidzoo.runs.pipeline import Pipeline
from reidzoo.visualization import SVGPlot
from reidzoo.visualization.svg_plot import COLOURS
from reidzoo.weights.cache import sha256_of

__all__ = ["evaluate_model", "matrix", "scatter"]

METRICS = ("mAP", "rank-1")


def evaluate_model(
    model: TrainedModel, targets: Sequence[Node], opts: Sequence[str] = (), overlays: Sequence[str] = ()
) -> dict[str, Any]:
    """Test a model on every target, as its configuration says.

    Returns:
        ``name``, ``config``, ``stage``, ``weights``, their ``sha256``, ``sources`` (their types), and ``results``:
        title (which tells twins) -> ``own``, whether the model was trained on this dataset, and the metrics, fractions
        in [0, 1].
    """
    tests = ["DATASETS.TESTS", json.dumps(list(targets))]
    pipeline = Pipeline(load_config(model.config, [*opts, *tests], overlays))
    (found,) = pipeline.evaluate(str(model.weights), model.stage).values()
    results = {
        title: {"own": any(is_same_dataset(target, source) for source in model.sources), **figures}
        for target, (title, figures) in zip(targets, found.items(), strict=True)
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
            found = row["results"][title]
            line += [f"{100 * found[metric]:.1f}{'*' if found['own'] else ''}" for metric in METRICS]
        lines.append(line)
    notes = ["* trained on the training images of this dataset; all others are direct transfer."]
    if any(title.endswith(" twin") for title in titles):
        notes.append("Twins are rendered drawings in the real datasets' layouts.")
    return tabulate(lines, head, tablefmt=form, disable_numparse=True) + "\n\n" + " ".join(notes)


def scatter(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return Fig. 2 of ADIN (Yuan et al., WACV 2020) as SVG: rank-1 on the own dataset against that on the others.

    Returns:
        The picture, a dot for each model and target it was not trained on; "" where no model was tested on its own
        dataset and on another one.
    """
    points = []
    for row in rows:
        own = [100 * found["rank-1"] for found in row["results"].values() if found["own"]]
        if own:
            points += [
                (sum(own) / len(own), 100 * found["rank-1"], title, row["name"])
                for title, found in row["results"].items()
                if not found["own"]
            ]
    if not points:
        return ""
    ranges = [_range(values) for values in (*zip(*points),)[:2]]
    title = "One dataset and direct transfer"
    plot = SVGPlot(title, "rank-1 on the dataset trained on, %", "rank-1 on another dataset, %", *ranges, (640, 440))
    colours = dict(zip(dict.fromkeys(point[2] for point in points), COLOURS * len(points)))
    for x, y, target, name in points:
        tip = f"{name}: {x:.1f} % on its own dataset, {y:.1f} % on {target}"
        plot.point(x, y, colours[target], f"tested on {target}", text=name, tip=tip)
    return plot.render()


def _range(values: Iterable[float]) -> tuple[float, float]:
    values = list(values)
    return max(0.0, min(values) - 5), min(100.0, max(values) + 5)
