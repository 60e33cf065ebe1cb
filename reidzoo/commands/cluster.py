"""Group the images that reidzoo extract embedded: what each setting of DBSCAN finds, and a picture of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reidzoo.commands.embedded import Embedded, read_embedded
from reidzoo.errors import UserError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = r"""reidzoo extract --weights randperson_mobilenet_mini DukeMTMC --data-root datasets-mini \
    --split train --output-dir output/features
reidzoo cluster output/features
reidzoo cluster output/features --k1 20 --eps 0.5 --output groups.csv --picture groups.png"""
SIZE = (128, 64)
"""Height and width of an image in the picture."""
HEAD = ("k1", "eps", "groups", "outliers", "smallest", "middle", "largest")
SHARES = ("precision", "recall", "over cameras", "F1")
LEGEND = """
Pairs of images, in percent. precision: of those in one group, the ones of one identity; recall: of those of one
identity, the ones in one group; over cameras: recall of those from two cameras; F1: of precision and recall. An
outlier is in no group."""
K1 = (10, 20, 30)
K2 = 6
RADII = (0.3, 0.4, 0.5, 0.6, 0.7)


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
        help="neighbours that are compared: about as many as a person has images (default: 10 20 30)",
    )  # fmt: skip
    parser.add_argument(
        "--k2", type=int, metavar="N",
        help="neighbours over which that is averaged, at most k1; fewer make purer groups (default: 6 or k1)",
    )  # fmt: skip
    parser.add_argument(
        "--eps", type=float, nargs="+", default=RADII, metavar="R",
        help="radii of DBSCAN on the k-reciprocal Jaccard distance, above 0 and below 1 (default: 0.3 to 0.7)",
    )  # fmt: skip
    parser.add_argument(
        "--min-samples", type=int, default=4, metavar="N", help="images that begin a group (default: 4)"
    )
    parser.add_argument(
        "--per-person", type=int, metavar="N",
        help="take N images of each named person, drawn at random, to see what suits people of so few",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, metavar="CSV",
        help="with one --k1 and one --eps: the grouped images as a CSVDataset, path,pid,camid,split, to look through "
        "(reidzoo check), to correct and to train on",
    )  # fmt: skip
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="with one --k1 and one --eps: the largest groups, a row each"
    )
    parser.add_argument("--rows", type=int, default=10, metavar="N", help="groups in the picture (default: 10)")
    parser.add_argument("--top", type=int, default=12, metavar="N", help="images of a group in it (default: 12)")


def run(args: argparse.Namespace) -> None:
    """Print a line for each setting, and write what is asked of the only one."""
    from tabulate import tabulate

    k1, radii = list(dict.fromkeys(args.k1)), list(dict.fromkeys(args.eps))
    _check(args, k1, radii)
    embedded = read_embedded(args.features)
    if args.per_person is not None:
        embedded = _drawn(embedded, args.per_person)
    if max(k1) >= len(embedded.paths):
        raise UserError(f"--k1 {max(k1)}: there are {len(embedded.paths):,} images; name fewer neighbours than that")
    groupings = list(_group(embedded.features, k1, radii, args))
    known = bool((embedded.pids >= 0).any())
    print(f"{len(embedded.paths):,} images")
    lines = [_sizes(grouping) + (_shares(grouping.labels, embedded) if known else []) for grouping in groupings]
    print(tabulate(lines, HEAD + SHARES if known else HEAD, disable_numparse=True))
    if known:
        print(LEGEND)
    if args.picture:
        _draw(args.picture, embedded.paths, groupings[0].labels, args.rows, args.top)
    if args.output:
        _write(args.output, embedded, groupings[0].labels)


def _check(args: argparse.Namespace, k1: Sequence[int], radii: Sequence[float]) -> None:
    """Refuse arguments that are out of their ranges or do not go together, before anything is read."""
    optional = [number for number in (args.k2, args.per_person) if number is not None]
    if min(args.rows, args.top, args.min_samples, *k1, *optional) < 1:
        raise UserError("--k1, --k2, --min-samples, --rows and --top take numbers from 1 up, and so does --per-person")
    if args.k2 is not None and args.k2 > min(k1):
        raise UserError(f"--k2 {args.k2}: at most --k1, which is {min(k1)}")
    if not all(0 < eps < 1 for eps in radii):
        raise UserError("--eps takes distances above 0 and below 1")
    places = [place for place in (args.output, args.picture) if place is not None]
    if places and len(k1) * len(radii) != 1:
        raise UserError("--output and --picture are of one setting: name one --k1 and one --eps")
    if args.picture and args.picture.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"--picture {args.picture}: a .png or a .jpg is written")
    taken = [(args.features / name).resolve() for name in ("features.npy", "index.csv")]
    for place in places:
        below_file = any(parent.is_file() for parent in place.parents)
        if not place.name or place.is_dir() or below_file or place.resolve() in taken:
            raise UserError(f"{place} is a folder, below a file, no name, or a file that is read; name another file")
        taken.append(place.resolve())


def _drawn(embedded: Embedded, count: int) -> Embedded:
    """Return ``count`` images of each known person, or all where there are fewer, the same ones each time."""
    import numpy as np

    order = np.random.default_rng(0).permutation(len(embedded.pids))
    kept = [order[embedded.pids[order] == pid][:count] for pid in np.unique(embedded.pids[embedded.pids >= 0])]
    if not kept:
        raise UserError("--per-person: no image has a known person; it is for images with names")
    rows = np.sort(np.concatenate(kept))
    features, paths, pids, camids, *names = embedded
    paths, *names = ([own[row] for row in rows] for own in (paths, *names))
    return Embedded(features[rows], paths, pids[rows], camids[rows], *names)


def _group(
    features: np.ndarray, k1: Sequence[int], radii: Sequence[float], args: argparse.Namespace
) -> Iterator[Grouping]:
    """Yield the labels of each setting, from one graph for each k1."""
    from tqdm import tqdm

    from reidzoo.clustering import dbscan_radii, jaccard_graph

    for neighbours in tqdm(k1, unit="k1", disable=None, leave=False):
        graph = jaccard_graph(features, neighbours, args.k2 or min(K2, neighbours), max_distance=max(radii))
        for eps, labels in zip(radii, dbscan_radii(graph, radii, args.min_samples)):
            yield Grouping(neighbours, eps, labels)


def _sizes(grouping: Grouping) -> list[str]:
    import numpy as np

    sizes = np.bincount(grouping.labels[grouping.labels >= 0])
    cells = [f"{grouping.k1}", f"{grouping.eps}", f"{len(sizes):,}", f"{(grouping.labels < 0).sum():,}"]
    spread = [f"{size:,.0f}" for size in (sizes.min(), np.median(sizes), sizes.max())] if len(sizes) else ["-"] * 3
    return cells + spread


def _shares(labels: np.ndarray, embedded: Embedded) -> list[str]:
    """Return the cells of ``SHARES``, - where there is no pair to take a share of."""
    from reidzoo.clustering import label_quality, singletons
    from reidzoo.clustering.label_quality import pair_count

    pids, camids = embedded.pids, embedded.camids
    known, seen = pids >= 0, (pids >= 0) & (camids >= 0)
    pairs = label_quality(singletons(labels), pids, camids)
    across = label_quality(singletons(labels)[seen], pids[seen], camids[seen])["cross_camera_recall"]
    grouped, same = pair_count(labels[known & (labels >= 0)]), pair_count(pids[known])
    precision, recall = pairs["pair_precision"], pairs["pair_recall"]
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    cells = [
        (precision, grouped),
        (recall, same),
        (across, pair_count(pids[seen]) - pair_count(pids[seen], camids[seen])),
    ]
    return [f"{100 * share:.1f}" if pairs else "-" for share, pairs in [*cells, (f1, grouped and same)]]


def _draw(path: Path, paths: Sequence[str], labels: np.ndarray, rows: int, top: int) -> None:
    """Draw the largest groups, and of each images from all of it."""
    import numpy as np

    from reidzoo.evenly_spaced import evenly_spaced
    from reidzoo.files import write_whole
    from reidzoo.visualization import image_sheet

    sizes = np.bincount(labels[labels >= 0])
    if not len(sizes):
        raise UserError("no group to draw: all images are outliers; try a larger --eps")
    sheet, names = [], []
    for label in np.argsort(-sizes, kind="stable")[:rows].tolist():
        found = np.flatnonzero(labels == label)
        shown = found[evenly_spaced(len(found), top)]
        names.append(f"group {label}: {len(found)} images")
        sheet.append([(_pixels(paths[row]), None) for row in shown])
    image, kind = image_sheet(sheet, labels=names), "PNG" if path.suffix.lower() == ".png" else "JPEG"
    if kind == "JPEG" and max(image.size) > 65_500:
        raise UserError(f"--picture {path}: {image.width:,} x {image.height:,} pixels are too many for it; take a .png")
    with write_whole(path) as file:
        image.save(file, kind, quality=90)
    print(path)


def _pixels(path: str) -> np.ndarray:
    from reidzoo.errors import DatasetError
    from reidzoo.transforms import read_picture

    try:
        return read_picture(path, SIZE)
    except DatasetError as error:
        raise UserError(f"{error} Since reidzoo extract it has changed; extract again") from None


def _write(path: Path, embedded: Embedded, labels: np.ndarray) -> None:
    """Write the grouped images as a CSVDataset's training images, the group in place of the identity."""
    import csv
    import io
    import os

    from reidzoo.files import write_text

    columns = ["path", "pid", "split", *(["camid"] if any(embedded.camera_names) else [])]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for image, label, camera in zip(embedded.paths, labels.tolist(), embedded.camera_names):
        if label >= 0:
            writer.writerow([os.path.abspath(image), label, "train", camera][: len(columns)])
    write_text(path, text.getvalue())
    print(path)
