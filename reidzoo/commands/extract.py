"""Embed images of a folder, a CSV or a dataset: features.npy, and index.csv that says which row is which image."""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reidzoo.commands.arguments import add_trust
from reidzoo.errors import ConfigError, DatasetError, UserError
from reidzoo.files import write_folder

if TYPE_CHECKING:
    from torch import Tensor

    from reidzoo.datasets import Dataset
    from reidzoo.inference.ready_model import ReadyModel

__all__ = ["EXAMPLE", "add_arguments", "open_dataset", "run"]

EXAMPLE = r"""reidzoo extract --weights domainmix_mini Market1501 --data-root datasets-mini \
    --split query gallery --output-dir output/features"""
SHOWN = 10
SPLITS = ("train", "query", "gallery")


class Image(NamedTuple):
    """One row: the file, the split it is of ("" in a folder), and what the source knows of it."""

    path: str
    split: str = ""
    pid: int | str = ""
    camid: int | str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--weights",
        required=True,
        metavar="MODEL",
        help="a model of the zoo, a model file, a run's folder or a checkpoint",
    )
    parser.add_argument(
        "source", metavar="SOURCE",
        help="a folder of images (and all folders in it), a CSV with the columns path,pid,camid,split, or a dataset: "
        "its name, or {type: NAME, ...}",
    )  # fmt: skip
    parser.add_argument("--split", nargs="+", choices=SPLITS, help="of a CSV or a dataset (default: all)")
    parser.add_argument(
        "--data-root", default="datasets", metavar="DIR", help="the folder of datasets (default: datasets)"
    )
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--view", choices=("query", "gallery"),
        help="with a model of two networks: whose (default: by the split)",
    )  # fmt: skip
    parser.add_argument("--skip-unreadable", action="store_true", help="leave such images out, into unreadable.csv")
    parser.add_argument("--batch-size", type=int, default=128, metavar="N")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that decode images")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Embed the images and write the files, all at once."""
    from reidzoo.engine.build import pick_device
    from reidzoo.engine.freed_memory import keep_freed_memory
    from reidzoo.inference.load import load

    if args.batch_size < 1 or args.workers < 0:
        raise UserError("--batch-size takes a number from 1 up, --workers one from 0 up")
    target = _new_folder(args.output_dir)
    keep_freed_memory()
    model = load(args.weights, device=str(pick_device(args.device)), trust=args.trust)
    images = find_images(args.source, args.split or (), args.data_root)
    methods = [choose_method(model, image.split, args.view) for image in images]
    try:
        with write_folder(target) as work:  # it replaces an empty folder only
            kept = _write(work, model, images, methods, args)
    except OSError as error:
        raise UserError(f"cannot write {args.output_dir}: {error}") from None
    print(f"{args.output_dir}: features.npy ({kept:,} x {model.embedding_dim:,}, float32), index.csv")
    if kept < len(images):
        print(f"{len(images) - kept:,} of {len(images):,} images cannot be read: {args.output_dir / 'unreadable.csv'}")


def _new_folder(path: Path) -> Path:
    """Return where a folder may be renamed to: nothing is there, or an empty folder.

    Raises:
        UserError: something else is there.
    """
    target = path.resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UserError(f"--output-dir {path} is there already; name a folder that is new")
    if target == Path.cwd() or target.is_mount():
        raise UserError(f"--output-dir {path} cannot be replaced: it is where you are, or a mount; name a folder in it")
    return target


def find_images(source: str, splits: Sequence[str], root: str) -> list[Image]:
    """Return the images of a folder, of a CSV, or of a dataset.

    Raises:
        UserError: there is none, or a path is not UTF-8.
    """
    from reidzoo.datasets.base import check_names, images_below

    if os.path.isdir(source):
        if splits:
            raise UserError(f"{source} is a folder, which has no --split; name a dataset, or list the images in a CSV")
        images = [Image(path) for path in sorted(images_below(os.path.abspath(source)))]
    else:
        dataset = open_dataset(source, root)
        images = [
            Image(os.path.abspath(record.path), split, record.pid, record.camid)
            for split in dict.fromkeys(splits or SPLITS)
            for record in getattr(dataset, split)
        ]
    if not images:
        raise UserError(f"{source} holds no image{f' in {chr(32).join(splits)}' if splits else ''}")
    check_names(image.path for image in images)
    return images


def open_dataset(source: str, root: str) -> Dataset:
    """Return the dataset that a CSV, a name or ``{type: NAME, ...}`` stands for.

    Raises:
        UserError: there is none.
    """
    from reidzoo.datasets import CSVDataset, build_dataset
    from reidzoo.datasets.nodes import parse_node

    if source.lower().endswith(".csv"):
        return CSVDataset(os.curdir, source)
    if "/" in source or os.path.exists(source):
        raise UserError(f"{source} is neither a folder, nor a .csv file, nor a dataset's name")
    try:
        node = parse_node(source, source) if source.startswith("{") else source
        return build_dataset(node, root=root)
    except ConfigError as error:
        raise UserError(f"there is no folder {source} here, and no such dataset: {error}") from None


def choose_method(model: ReadyModel, split: str, view: str | None) -> str:
    """Return the method of the model that embeds an image of ``split``.

    Raises:
        UserError: the model has a network for queries and one for the gallery, and nothing says which to take.
    """
    if not hasattr(model.module, "embed_query"):
        if view:
            raise UserError("--view is for models of two networks; this one embeds all images alike")
        return "embed"
    view = view or split
    if view not in ("query", "gallery"):
        what = f"images of the split {split}" if split else "a folder's images"
        raise UserError(f"this model has a network for queries and one for the gallery; say whose for {what}: --view")
    return f"embed_{view}"


def _write(folder: Path, model: ReadyModel, images: list[Image], methods: list[str], args: argparse.Namespace) -> int:
    from reidzoo.engine.feature_file import write_features

    unreadable: dict[int, str] = {}
    with open(folder / "features.npy", "wb") as file:
        blocks = embed(model, images, methods, unreadable, args)
        kept = write_features(file, blocks, model.embedding_dim)
    if unreadable and not args.skip_unreadable:
        raise DatasetError(_complain(unreadable, len(images)))
    if not kept:
        raise DatasetError(f"none of the {len(images):,} images can be read; the first: {unreadable[0]}")
    rows = [image for row, image in enumerate(images) if row not in unreadable]
    table = [(row, image.path, image.pid, image.camid, image.split) for row, image in enumerate(rows)]
    _write_csv(folder / "index.csv", ("row", "path", "pid", "camid", "split"), table)
    if unreadable:
        reasons = [(images[row].path, reason) for row, reason in sorted(unreadable.items())]
        _write_csv(folder / "unreadable.csv", ("path", "reason"), reasons)
    return kept


def embed(
    model: ReadyModel, images: list[Image], methods: list[str], unreadable: dict[int, str], args: argparse.Namespace
) -> Iterator[Tensor]:
    """Yield the features of the readable images in their order, and note why the others are not.

    Behind the first unreadable image the rest is only read, unless such images are to be skipped, so that all of them
    are known at once.
    """
    import numpy as np
    from tqdm import tqdm

    from reidzoo.engine.image_table import ImageTable

    table = ImageTable([image.path for image in images], model.size, model.interpolation, cache="off")
    with tqdm(total=len(images), unit="img", disable=None) as bar:
        for method in dict.fromkeys(methods):  # splits are one behind the other, and so are their methods
            rows = np.array([row for row, own in enumerate(methods) if own == method])
            batches = [rows[start : start + args.batch_size] for start in range(0, len(rows), args.batch_size)]
            blocks = table.batches_or_report(batches, args.workers)
            for batch, (pixels, failed) in zip(batches, blocks):
                unreadable.update(failed)
                if len(pixels) and (args.skip_unreadable or not unreadable):
                    yield getattr(model, method)(pixels)
                bar.update(len(batch))


def _complain(unreadable: dict[int, str], count: int) -> str:
    from reidzoo.datasets.base import shortened

    reasons = [unreadable[row] for row in sorted(unreadable)]
    listed = "".join(f"\n  {line}" for line in shortened(reasons, SHOWN))
    return f"{len(reasons):,} of {count:,} images cannot be read; --skip-unreadable leaves them out:{listed}"


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
