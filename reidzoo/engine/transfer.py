"""Direct transfer: trained models, each tested on many datasets, as a matrix and as a picture."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from reidzoo.config import load_config, stage_configs
from reidzoo.config.files import parse_overrides, show_path
from reidzoo.config.indexes import read_indexes
from reidzoo.config.references import ZOO, fill_seed
from reidzoo.engine.build import register_indexes
from reidzoo.engine.checkpoint import FINAL
from reidzoo.engine.pipeline import Pipeline
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.visualization import svg_text
from reidzoo.zoo.hub import sha256_of
from reidzoo.zoo.index import register_index
from reidzoo.zoo.lookup import locate, plain_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TrainedModel", "draw_scatter", "evaluate_model", "find_model", "matrix", "scatter"]

METRICS = ("mAP", "rank-1")
PLACES = ("root", "file", "folder")
"""Arguments that make another dataset of one type; all others, such as a split or a test size, are of the same one."""

Node = str | Mapping[str, Any]
"""How a configuration names a dataset."""


@dataclass(frozen=True)
class TrainedModel:
    """A checkpoint and the configuration that it was trained with.

    Attributes:
        name: what tables call it.
        config: the configuration file.
        stage: the stage whose model it is.
        weights: the checkpoint.
        sources: the datasets that the stage trains on, as the configuration names them, without their wrappers.
    """

    name: str
    config: Path
    stage: str
    weights: Path
    sources: tuple[Node, ...]


def find_model(
    config: str = "", weights: str = "", stage: str = "", opts: Sequence[str] = (), overlays: Sequence[str] = ()
) -> TrainedModel:
    """Find out what a pair of a configuration and weights means.

    Args:
        config: a configuration file; "" takes the ``config.yml`` of the run's folder that ``weights`` names, or what
            the model file that it names carries.
        weights: a checkpoint, a run's folder, a model file, or ``zoo://NAME``; "" takes the run in the configuration's
            OUTPUT_DIR.
        stage: whose model; "" for the last stage's.
        opts, overlays: as for ``load_config``.

    Raises:
        ConfigError: neither is given, or there is no such stage.
        WeightsError: there is no such checkpoint or model, or the run is not finished.
    """
    path, name = Path(weights), ""
    if config:
        register_indexes(load_config(config, opts, overlays))
    else:
        for place in read_indexes(parse_overrides(opts)):
            register_index(place)
    if weights.startswith(ZOO):
        path, name = locate(weights), plain_name(weights)
    if not config:
        config = str(_own_config(path, weights))
    cfg = load_config(config, opts, overlays)
    stages = stage_configs(cfg)
    stage = stage or list(stages)[-1]
    if stage not in stages:
        raise ConfigError(f"{config}: there is no stage {stage!r}; the stages are {', '.join(stages)}")
    if not weights:
        path = Path(cfg.OUTPUT_DIR)
    run = Path(config).absolute().parent if Path(config).name == "config.yml" else None
    name = name or (run.name if run else Path(config).stem)
    if path.is_dir():
        path = path / stage / FINAL if cfg.STAGES else path / FINAL
    if not path.is_file():
        raise WeightsError(f"{config}: there is no checkpoint {path}; train it first, or name one with --weights")
    label = f"{name}, {stage}" if cfg.STAGES else name
    return TrainedModel(label, Path(config), stage, path, _sources(fill_seed(stages[stage]).DATASETS.TRAIN))


def _own_config(path: Path, weights: str) -> Path:
    """Return what says how the model at ``path`` is built: the run's configuration, or the model file itself."""
    if (path / "config.yml").is_file():
        return path / "config.yml"
    if path.suffix == ".safetensors" and path.is_file():
        return path
    raise ConfigError(
        f"{weights or 'no model'}: give --config-file, or as --weights the folder of a run, a model file or zoo://NAME"
    )


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
        title: {"own": any(_is_one(target, source) for source in model.sources), **figures}
        for target, (title, figures) in zip(targets, found.items(), strict=True)
    }
    facts = {"config": show_path(model.config), "stage": model.stage, "weights": show_path(model.weights)}
    facts["sha256"] = sha256_of(model.weights)
    sources = list(dict.fromkeys(_mapping(source)["type"] for source in model.sources))
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
        The picture, a mark for each model and target it was not trained on; "" where no model was tested on its own
        dataset and on another one.
    """
    points = list(_transfers(rows))
    if not points:
        return ""
    said = [f"{name}: {x:.1f} % on its own dataset, {y:.1f} % on {target}" for name, target, x, y in points]
    return svg_text(partial(draw_scatter, points=points), "One dataset and direct transfer", "\n".join(said), 460)


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
        own = [100 * found["rank-1"] for found in row["results"].values() if found["own"]]
        for title, found in row["results"].items():
            if own and not found["own"]:
                yield row["name"], title, sum(own) / len(own), 100 * found["rank-1"]


def _sources(given: Mapping[str, Any]) -> tuple[Node, ...]:
    """Return the datasets of DATASETS.TRAIN without their wrappers, each once."""
    found: list[Node] = []
    for nodes in given.values():
        for node in nodes if isinstance(nodes, list | tuple) else [nodes]:
            source = _unwrapped(node)
            if source not in found:
                found.append(source)
    return tuple(found)


def _unwrapped(node: Node) -> Node:
    while isinstance(node, Mapping) and "dataset" in node:
        node = node["dataset"]
    return node


def _mapping(node: Node) -> Mapping[str, Any]:
    return {"type": node} if isinstance(node, str) else node


def _is_one(target: Node, source: Node) -> bool:
    """Whether two nodes are of one dataset, be it by another split or another of its test sets."""
    one, other = _mapping(_unwrapped(target)), _mapping(source)
    return one["type"] == other["type"] and all(one.get(place) == other.get(place) for place in PLACES)
