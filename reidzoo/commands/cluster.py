"""Group the images that reidzoo extract embedded: what each setting of DBSCAN finds, and a picture of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reidzoo.errors import UserError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = r"""reidzoo extract --weights randperson_mobilenet_mini DukeMTMC --data-root datasets-mini \
    --split train --output-dir output/features
reidzoo cluster output/features
reidzoo cluster output/features --k1 20 --eps 0.5 --output labels.csv --picture groups.png"""
SIZE = (128, 64)
"""Height and width of an image in the picture."""
HEAD = ("k1", "eps", "groups", "outliers", "smallest", "middle", "largest")
SHARES = ("precision", "recall", "over cameras", "F1")
K1 = (10, 20, 30)
K2 = 6
RADII = (0.3, 0.4, 0.5, 0.6, 0.7)


class Embedded(NamedTuple):
    """What ``reidzoo extract`` left: features (N, D), and each image's file, identity and camera, "" where unknown."""

    features: np.ndarray
    paths: list[str]
    pids: list[str]
    camids: list[str]


class Grouping(NamedTuple):
    """One setting's labels, int64 (N,), -1 = outlier."""

    k1: int
    eps: float
    labels: np.ndarray


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("features", type=Path, metavar="FEATURES", help="a folder that reidzoo extract has written")
    parser.add_argument(
        "--k1", type=int, nargs="+", default=K1, metavar="N",
        help="neighbours that are compared, about the images of a person (default: 10 20 30)",
    )  # fmt: skip
    parser.add_argument(
        "--eps", type=float, nargs="+", default=RADII, metavar="R",
        help="radii of DBSCAN on the k-reciprocal Jaccard distance, above 0 and below 1 (default: 0.3 to 0.7)",
    )  # fmt: skip
    parser.add_argument(
        "--min-samples", type=int, default=4, metavar="N", help="images that begin a group (default: 4)"
    )
    parser.add_argument("--output", type=Path, metavar="CSV", help="one --k1 and one --eps: path,label, -1 = outlier")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="one --k1 and one --eps: groups, the largest first, a row each"
    )
    parser.add_argument("--rows", type=int, default=10, metavar="N", help="groups in the picture (default: 10)")
    parser.add_argument("--top", type=int, default=12, metavar="N", help="images of a group in it (default: 12)")


def run(args: argparse.Namespace) -> None:
    """Print a line for each setting, and write what is asked of the last."""
    from tabulate import tabulate

    if min(args.rows, args.top) < 1:
        raise UserError("--rows and --top take a number from 1 up")
    if (args.output or args.picture) and len(args.k1) * len(args.eps) != 1:
        raise UserError("--output and --picture are of one setting: name one --k1 and one --eps")
    if args.picture and args.picture.suffix not in (".png", ".jpg"):
        raise UserError(f"--picture {args.picture}: a .png or a .jpg is written")
    embedded = _read(args.features)
    groupings = list(_group(embedded.features, args.k1, args.eps, args.min_samples))
    known = any(embedded.pids)
    lines = [_line(grouping, embedded, known) for grouping in groupings]
    print(f"{len(embedded.paths):,} images")
    print(tabulate(lines, HEAD + SHARES if known else HEAD, disable_numparse=True))
    if known:
        print("Pairs of images against their identities, in percent; an outlier is in no pair.")
    if args.output:
        _write(args.output, embedded.paths, groupings[0].labels)
    if args.picture:
        _draw(args.picture, embedded.paths, groupings[0].labels, args.rows, args.top)


def _read(folder: Path) -> Embedded:
    import csv

    import numpy as np

    try:
        features = np.load(folder / "features.npy", allow_pickle=False)
        with open(folder / "index.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        paths, pids, camids = ([row[key] for row in rows] for key in ("path", "pid", "camid"))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder} is not a folder that reidzoo extract has written: {error}") from None
    if features.ndim != 2 or len(features) != len(paths) or not len(paths):
        raise UserError(f"{folder}: features.npy is {features.shape}, and index.csv has {len(paths):,} images")
    return Embedded(features, paths, pids, camids)


def _group(features: np.ndarray, k1: Sequence[int], radii: Sequence[float], min_samples: int) -> Iterator[Grouping]:
    """Yield the labels of each setting, from one graph for each k1."""
    from tqdm import tqdm

    from reidzoo.clustering import dbscan_radii
    from reidzoo.clustering.jaccard.graph import jaccard_graph

    for neighbours in tqdm(k1, unit="k1", disable=None, leave=False):
        graph = jaccard_graph(features, neighbours, min(K2, neighbours), max_distance=min(max(radii), 1.0))
        for eps, labels in zip(radii, dbscan_radii(graph, radii, min_samples)):
            yield Grouping(neighbours, eps, labels)


def _line(grouping: Grouping, embedded: Embedded, known: bool) -> list[str]:
    """Return the cells of one setting: sizes, and how pairs agree with the identities where these are known."""
    import numpy as np

    from reidzoo.clustering import label_quality, singletons

    numbers = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in (embedded.pids, embedded.camids)]
    pids = np.where(np.isin(embedded.pids, ("", "-1")), -1, numbers[0])
    sizes = label_quality(grouping.labels, pids, numbers[1])
    cells = [f"{grouping.k1}", f"{grouping.eps:g}"]
    cells += [f"{sizes[key]:,.0f}" for key in ("clusters", "outliers", "size_min", "size_50", "size_max")]
    if not known:
        return cells
    pairs = label_quality(singletons(grouping.labels), pids, numbers[1])
    precision, recall = pairs["pair_precision"], pairs["pair_recall"]
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    return [*cells, *(f"{100 * share:.1f}" for share in (precision, recall, pairs["cross_camera_recall"], f1))]


def _write(path: Path, paths: Sequence[str], labels: np.ndarray) -> None:
    import csv
    import io

    from reidzoo.files import write_text

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("path", "label"), *zip(paths, labels.tolist())])
    write_text(path, text.getvalue())
    print(path)


def _draw(path: Path, paths: Sequence[str], labels: np.ndarray, rows: int, top: int) -> None:
    """Draw the largest groups, and of each images from all of it."""
    import numpy as np

    from reidzoo.files import write_whole
    from reidzoo.transforms import read_image
    from reidzoo.visualization import image_sheet

    sizes = np.bincount(labels[labels >= 0])
    if not len(sizes):
        raise UserError("no group to draw: all images are outliers; try a larger --eps")
    sheet, names = [], []
    for label in np.argsort(-sizes, kind="stable")[:rows].tolist():
        found = np.flatnonzero(labels == label)
        shown = found[np.linspace(0, len(found) - 1, min(top, len(found))).astype(int)]
        names.append(f"label {label}: {len(found)} images")
        sheet.append([(read_image(paths[row], SIZE, "bicubic").permute(1, 2, 0).numpy(), None) for row in shown])
    with write_whole(path) as file:
        image_sheet(sheet, labels=names).save(file, "PNG" if path.suffix == ".png" else "JPEG", quality=90)
    print(path)
