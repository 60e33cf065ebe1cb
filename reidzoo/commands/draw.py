"""Draw one picture: of a dataset, of a training, or of what a model finds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reidzoo.commands.arguments import add_trust
from reidzoo.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from reidzoo.datasets import Dataset, Record
    from reidzoo.evaluation import Protocol
    from reidzoo.inference.ready_model import ReadyModel

__all__ = ["EXAMPLE", "add_arguments", "run"]

Item = TypeVar("Item")

EXAMPLE = """reidzoo draw imbalance --dataset MSMT17 --data-root datasets-mini --output imbalance.svg
reidzoo draw ranking --dataset Market1501 --data-root datasets-mini --weights domainmix_mini --output ranking.png
reidzoo draw labels --dataset MSMT17 --data-root datasets-mini --labels pseudo_labels.csv --output labels.png
reidzoo draw styles --dataset Market1501 --data-root datasets-mini --output styles.png
reidzoo draw losses --weights output/DomainMix/mini --output losses.svg
reidzoo draw confusions --weights spcl_mini --dataset Market1501 --data-root datasets-mini --output confused.png
reidzoo draw attention --weights spcl_mini --data-root datasets-mini --query 3 --query 8 --output looks.png"""


OF_DATASETS = {
    "imbalance": "images, cameras and times of day of the training identities",
    "ranking": "queries and the images nearest to them, green where right",
    "labels": "pseudo labels, a row each, green where an image is of the label's most frequent identity, and how the "
    "labels compare with the identities",
    "styles": "training images as the dataset's other cameras would see them",
}
OF_RUNS = {
    "progress": "mAP, ranks and mINP over the epochs",
    "losses": "losses, with stages and phases",
    "rates": "learning rates",
    "label-quality": "pseudo labels against the identities",
    "alternation": "the turns of an alternation by thresholds",
    "clusters": "some clusters of the pseudo labels",
}
OF_MODELS = {
    "rank-lists": "what the best, median and worst queries find",
    "confusions": "the identities taken for one another most often",
    "attention": "where the model looks (Grad-CAM)",
    "cmc": "the CMC with its interval",
    "distances": "histograms of pairs of one identity and of two",
    "roc": "the ROC of telling them apart",
    "identities": "t-SNE of embeddings by identity",
    "cameras": "the same by camera",
}
"""Kind -> what it shows."""
OF_QUERIES = ("rank-lists", "attention")
"""The kinds that show some queries."""


def _explained(kinds: Mapping[str, str]) -> str:
    return "; ".join(f"{kind}: {text}" for kind, text in kinds.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "what", choices=[*OF_DATASETS, *OF_RUNS, *OF_MODELS], metavar="KIND",
        help="of a dataset: " + _explained(OF_DATASETS) + ". Of a run: " + _explained(OF_RUNS) + ". Of a model: "
        + _explained(OF_MODELS) + ". Those of runs and models are the pictures of reidzoo report",
    )  # fmt: skip
    parser.add_argument(
        "--dataset", metavar="NODE",
        help="a name, or '{type: NAME, ...}'; of a model, what to test it on (default: its first test set)",
    )  # fmt: skip
    parser.add_argument("--data-root", metavar="DIR", help="the folder of datasets (default: datasets, or the run's)")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="its ending has to be the picture's")
    parser.add_argument(
        "--weights", action="append", default=[], metavar="MODEL",
        help="a run's folder; of models also one of the zoo, a model file or a checkpoint; rankings of several compare",
    )  # fmt: skip
    parser.add_argument("--stage", default="", help="of a model: whose (default: the run's last that is finished)")
    parser.add_argument(
        "--query", action="append", default=[], metavar="NAME",
        help="of rank-lists and attention: a query's file, or its number from 1; repeat it for several (default: the "
        "best, median and worst)",
    )  # fmt: skip
    parser.add_argument("--labels", metavar="CSV", help="of labels: the file of pseudo labels, of this dataset")
    parser.add_argument(
        "--rows", type=int, default=6, metavar="N", help="queries, labels, or images; spread over the dataset"
    )
    parser.add_argument("--top", type=int, default=10, metavar="K", help="of ranking and labels: images in a row")
    parser.add_argument(
        "--style-folder", action="append", default=[], metavar="DIR",
        help="of styles: a folder of style images, shown below ColorTransfer's; repeat it to compare",
    )  # fmt: skip
    parser.add_argument("--size", type=int, nargs=2, default=(128, 64), metavar=("H", "W"), help="of each image")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda", "auto"])
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Write the picture.

    Raises:
        UserError: the dataset or a model cannot be had, or a number is below 1.
    """
    if args.query and args.what not in OF_QUERIES:
        raise UserError(f"draw {args.what} takes no --query: {' and '.join(OF_QUERIES)} do")
    if args.what in OF_DATASETS:
        _draw_dataset(args)
    else:
        _draw_run(args)
    print(f"This is in {args.output}.")


def _draw_dataset(args: argparse.Namespace) -> None:
    from reidzoo.datasets import build_dataset
    from reidzoo.datasets.nodes import read_node

    if min(args.rows, args.top, *args.size) < 1:
        raise UserError("--rows, --top and --size take numbers from 1 up")
    _check_ending(args, {".svg"} if args.what == "imbalance" else {".png", ".jpg"})
    if args.dataset is None:
        raise UserError(f"draw {args.what} takes --dataset NAME")
    dataset = build_dataset(read_node(args.dataset, "--dataset"), root=args.data_root or "datasets")
    {"imbalance": _imbalance, "ranking": _ranking, "labels": _labels, "styles": _styles}[args.what](args, dataset)


def _check_ending(args: argparse.Namespace, endings: set[str]) -> None:
    if args.output.suffix not in endings:
        raise UserError(
            f"--output {args.output}: draw {args.what} writes {' or '.join(sorted(endings))}, such as x{max(endings)}"
        )


def _draw_run(args: argparse.Namespace) -> None:
    """Draw a picture of the report of a run or a model."""
    from reidzoo.datasets.nodes import read_node
    from reidzoo.files import write_whole
    from reidzoo.reporting import STRIPS, Report

    _check_ending(args, {".png"} if args.what in STRIPS else {".svg"})
    if len(args.weights) != 1:
        raise UserError(f"draw {args.what} takes one --weights RUN")
    opts = ["DATASETS.ROOT", args.data_root] if args.data_root else []
    how = {"opts": opts, "device": args.device, "trust": args.trust, "stage": args.stage}
    report = Report.of(args.weights[0], **how, curves_only=args.what in OF_RUNS)
    node = read_node(args.dataset, "--dataset") if args.dataset else None
    picture = report.picture(args.what, node, args.query)
    with write_whole(args.output) as file:
        file.write(picture.content)
    print(f"{picture.title}: {picture.text}")


def _imbalance(args: argparse.Namespace, dataset: Dataset) -> None:
    from reidzoo.files import write_text
    from reidzoo.visualization import imbalance, imbalance_plot

    if all(record.pid < 0 for record in dataset.train):
        raise UserError(f"{dataset.name} has no training images of known identities, which draw imbalance counts")
    columns = ([getattr(record, key) for record in dataset.train] for key in ("pid", "camid", "timeid"))
    counted = imbalance(*columns)
    for name, values in counted.items():
        print(f"{name} of an identity: {values.min()} to {values.max()}, {values.mean():.1f} on average")
    twin = " (rendered twin)" if dataset.is_twin else ""
    write_text(args.output, imbalance_plot(counted, f"{dataset.name}{twin}: the training identities"))


def _ranking(args: argparse.Namespace, dataset: Dataset) -> None:
    from reidzoo.inference import load
    from reidzoo.visualization import RIGHT, WRONG, image_sheet

    if not args.weights:
        raise UserError("draw ranking takes --weights MODEL")
    queries, gallery = _spread(dataset.query, args.rows), dataset.gallery
    rules = _rules(dataset, queries)
    models = [load(weights, device=args.device, trust=args.trust) for weights in args.weights]
    rows, rankings = [], [_counted(model, rules, queries, gallery) for model in models]
    for number, query in enumerate(queries):
        for ranking in rankings:
            found = [(gallery[column], RIGHT if right else WRONG) for column, right in ranking[number][: args.top]]
            tiles = [(_pixels(record.path, args.size), colour) for record, colour in found]
            rows.append([(_pixels(query.path, args.size), None), *tiles])
    names = [Path(weights).stem for weights in args.weights] * len(queries) if len(models) > 1 else []
    heads = ["query", *map(str, range(1, max(map(len, rows))))]
    _save(image_sheet(rows, heads, names), args.output)


def _rules(dataset: Dataset, queries: Sequence[Record]) -> Protocol:
    """Return the protocol that says which images of the dataset's gallery count for these of its queries."""
    from reidzoo.engine.evaluate import record_ids
    from reidzoo.evaluation import PROTOCOLS, Labels
    from reidzoo.evaluation.ranking import build_protocol

    labels = Labels(*record_ids(queries, dataset.gallery))
    rules = build_protocol(dataset.protocol, labels, 0, dataset.repeats)
    # A protocol that pools both sides draws its gallery from all images; what is shown is the dataset's own gallery.
    return PROTOCOLS["camera_free"](labels) if rules.pooled else rules


def _counted(
    model: ReadyModel, rules: Protocol, queries: Sequence[Record], gallery: Sequence[Record]
) -> list[list[tuple[int, bool]]]:
    """Return of each query the gallery rows that count, nearest first, and whether each is a true match."""
    from reidzoo.evaluation import Mark, rank_lists
    from reidzoo.neighbours.distances import FeatureDistances
    from reidzoo.neighbours.feature_table import FeatureTable

    sides = ("query", model.embed_query, queries), ("gallery", model.embed_gallery, gallery)
    tables = [FeatureTable(embed([record.path for record in records]), name) for name, embed, records in sides]
    lists = rank_lists(FeatureDistances(tables[0], tables[1], "euclidean"), rules, len(gallery))
    return [
        [(column, mark == Mark.RIGHT) for column, mark in zip(*row) if column >= 0 and mark in (Mark.RIGHT, Mark.WRONG)]
        for row in zip(lists.columns.tolist(), lists.marks.tolist())
    ]


def _labels(args: argparse.Namespace, dataset: Dataset) -> None:
    """Print the quality of pseudo labels and draw some: a label in a row, the images of its main identity first."""
    import numpy as np

    from reidzoo.clustering import label_quality
    from reidzoo.datasets import read_pseudo_labels
    from reidzoo.datasets.base import relative_path
    from reidzoo.visualization import RIGHT, WRONG, image_sheet

    if not args.labels:
        raise UserError("draw labels takes --labels CSV, such as the pseudo_labels.csv of a stage that clusters")
    label_of = read_pseudo_labels(args.labels)
    records = dataset.train
    given = [label_of.get(relative_path(record.path, dataset.folder)) for record in records]
    if None in given or len(given) != len(label_of):
        raise UserError(f"{args.labels} does not label the training images of {dataset.name}, each once")
    labels = np.array(given)
    pids, camids = (np.array([getattr(record, key) for record in records]) for key in ("pid", "camid"))
    for name, value in label_quality(labels, pids, camids).items():
        print(f"{name.replace('_', ' ')}: {value:.4g}")
    numbers = np.unique(labels[labels >= 0])
    if not len(numbers):
        raise UserError(f"{args.labels} has no label: all images are discarded")
    sheet, names = [], []
    for number in _spread(numbers.tolist(), args.rows):
        found = np.flatnonzero(labels == number)
        values, sizes = np.unique(pids[found], return_counts=True)
        main = values[sizes.argmax()]
        rows = sorted(found.tolist(), key=lambda row: (pids[row] != main, pids[row], camids[row]))
        shown = _spread(rows, args.top)
        people = "1 person" if len(values) == 1 else f"{len(values)} people"
        names.append(f"label {number}: {len(found)} images, {people}")
        sheet.append([(_pixels(records[row].path, args.size), RIGHT if pids[row] == main else WRONG) for row in shown])
    _save(image_sheet(sheet, labels=names), args.output)


def _styles(args: argparse.Namespace, dataset: Dataset) -> None:
    import numpy as np
    import torch

    from reidzoo.datasets import ColorTransfer, StyleFolder
    from reidzoo.visualization import image_sheet

    records = dataset.train
    cameras = sorted({record.camid for record in records})
    numbers = (np.arange(len(cameras)) + 0.5) / len(cameras)
    transfer, folders = ColorTransfer(records), [StyleFolder(records, folder) for folder in args.style_folder]
    sheet, names = [], []
    for record in _spread(records, args.rows):
        rows, real = np.full(len(cameras), records.index(record)), _pixels(record.path, args.size)
        copies = torch.from_numpy(np.stack([real] * len(cameras))).permute(0, 3, 1, 2)
        styled = transfer.restyle(copies, rows, numbers).permute(0, 2, 3, 1).numpy()
        sheet.append([(image, None) for image in (real, *styled)])
        names.append("colours")
        for folder in folders:
            paths = [*(r.path for r in records), *folder.paths]
            files = (paths[row] for row in folder.files(rows, numbers))
            sheet.append([(real, None), *((_pixels(path, args.size), None) for path in files)])
        names += [Path(folder).name for folder in args.style_folder]
    heads = ["itself", *(f"camera {camera + 1}" for camera in cameras)]
    _save(image_sheet(sheet, heads, names if folders else []), args.output)


def _spread(records: Sequence[Item], count: int) -> list[Item]:
    """Return ``count`` of the records, or of their rows, from the first to the last."""
    from reidzoo.evenly_spaced import evenly_spaced

    if not records:
        raise UserError("the dataset has no images to draw from")
    return [records[row] for row in evenly_spaced(len(records), count)]


def _pixels(path: str, size: Sequence[int]) -> np.ndarray:
    from reidzoo.transforms import read_picture

    return read_picture(path, (size[0], size[1]))


def _save(image: Any, path: Path) -> None:
    from reidzoo.files import write_whole

    with write_whole(path) as file:
        image.save(file, "PNG" if path.suffix == ".png" else "JPEG", quality=90)
