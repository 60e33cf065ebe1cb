"""Build, extend and search a gallery: embedded images in a folder, found again by further images."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from reidzoo.commands.arguments import add_prior, add_trust
from reidzoo.errors import UserError

if TYPE_CHECKING:
    from reidzoo.gallery import Added, Gallery, Match

__all__ = ["EXAMPLE", "add_arguments", "add_gallery_arguments", "open_gallery", "report_left_out", "run"]

EXAMPLE = """reidzoo gallery build people Market1501 --data-root datasets-mini --weights domainmix_mini
then:  reidzoo gallery search people datasets-mini/Market-1501-v15.09.15/query/0001_c1s2_023467_00.jpg"""
ACTIONS = {
    "build": "a new gallery of SOURCE's images",
    "add": "SOURCE's images to it",
    "remove": "the images that are named, for good",
    "search": "its images most similar to those that are named",
    "show": "what it holds",
}
SOURCE = "a folder of images (a folder in it is a person), images, a CSV, or a dataset: its name, or {type: NAME, ...}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = "; ".join(f"{name}: {text}" for name, text in ACTIONS.items())
    parser.add_argument("action", choices=ACTIONS, help=actions)
    add_gallery_arguments(parser)
    parser.add_argument("items", nargs="*", metavar="SOURCE", help=f"to build or add: {SOURCE}; otherwise images")
    parser.add_argument(
        "--split", default="gallery", choices=("train", "query", "gallery"), help="of a CSV or a dataset"
    )
    parser.add_argument(
        "--data-root", default="datasets", metavar="DIR", help="the folder of datasets (default: datasets)"
    )
    parser.add_argument("--identity", metavar="NAME", help="of images to add; or remove all images of it")
    parser.add_argument(
        "--camera", action="append", metavar="NAME", help="of images to add; or search those of it alone"
    )
    parser.add_argument("--skip-unreadable", action="store_true", help="leave such images out")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that decode images")
    parser.add_argument("-k", "--matches", type=int, default=10, metavar="N", help="how many to find (default: 10)")
    parser.add_argument("--rerank", action="store_true", help="order what is found by k-reciprocal re-ranking")
    parser.add_argument("--json", action="store_true", help="print what is found as JSON")


def add_gallery_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which gallery is meant, which model embeds, and what its probabilities are for."""
    parser.add_argument("gallery", metavar="GALLERY", help="its folder")
    parser.add_argument(
        "--weights", default="", metavar="MODEL",
        help="a model of the zoo, a model file, a run's folder or a checkpoint (default: the one it was built with)",
    )  # fmt: skip
    add_prior(parser)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add_trust(parser)


def open_gallery(args: argparse.Namespace, index: str = "exact") -> Gallery:
    """Return the gallery in ``args.gallery``, with its model.

    Args:
        args: with what ``add_gallery_arguments`` adds.
        index: what searches, as for ``Gallery.load``.

    Raises:
        UserError: there is no gallery, or not its model.
    """
    from reidzoo.engine.build import pick_device
    from reidzoo.gallery import Gallery
    from reidzoo.inference.load import load

    gallery = Gallery.load(args.gallery, index=index)
    if not (args.weights or args.trust) and pick_device(args.device).type == "cpu":
        return Gallery(gallery.store, gallery.model)
    weights = args.weights or gallery.store.model.weights
    return Gallery(gallery.store, load(weights, device=str(pick_device(args.device)), trust=args.trust))


def run(args: argparse.Namespace) -> None:
    """Do what the action says."""
    if args.workers < 0 or args.matches < 1:
        raise UserError("--workers takes a number from 0 up, --matches one from 1 up")
    if args.action in ("build", "add", "search") and not args.items:
        raise UserError(f"reidzoo gallery {args.action} takes {SOURCE if args.action != 'search' else 'images'}")
    if args.identity == "":
        raise UserError("--identity takes a name; leave it out where nobody knows who it is")
    if args.action in ("search", "show") and args.identity is not None:
        raise UserError(f"reidzoo gallery {args.action} takes no --identity; it is of images to add or to remove")
    {"build": _build, "add": _add, "remove": _remove, "search": _search, "show": _show}[args.action](args)


def _build(args: argparse.Namespace) -> None:
    from reidzoo.engine.build import pick_device
    from reidzoo.gallery import Gallery
    from reidzoo.inference.load import load

    if not args.weights:
        raise UserError("reidzoo gallery build takes --weights MODEL, whose embeddings the gallery will hold")
    sources = _sources(args)
    model = load(args.weights, device=str(pick_device(args.device)), trust=args.trust)
    gallery = Gallery.new(model, args.gallery)
    for source in sources:
        report_left_out(gallery.add(source, **_options(args, source)))
    print(f"{args.gallery}: {_summary(gallery)}")


def _add(args: argparse.Namespace) -> None:
    sources = _sources(args)
    gallery = open_gallery(args)
    for source in sources:
        added = gallery.add(source, **_options(args, source))
        report_left_out(added)
        known = f", {added.known:,} were there already" if added.known else ""
        print(f"{added.added:,} added{known}")
    print(f"{args.gallery}: {_summary(gallery)}")


def report_left_out(added: Added) -> None:
    """Print which files ``--skip-unreadable`` has left out, and why."""
    for reason in added.unreadable:
        print(f"left out: {reason}")


def _remove(args: argparse.Namespace) -> None:
    from reidzoo.gallery import Gallery

    if not args.items and args.identity is None:
        raise UserError("reidzoo gallery remove takes names of images, or --identity NAME")
    gallery = Gallery.load(args.gallery)
    removed = gallery.remove(args.items, identity=args.identity)
    if not removed:
        raise UserError(f"nothing of that name or identity is in {args.gallery}: {_summary(gallery)}")
    print(f"{removed:,} removed; {args.gallery}: {_summary(gallery)}")


def _search(args: argparse.Namespace) -> None:
    from reidzoo.inference.decision import PRIOR, Decision

    gallery = open_gallery(args)
    decision = Decision.of(gallery.model, args.prior)
    found = gallery.search(args.items, args.matches, camera=args.camera, rerank=args.rerank, prior=args.prior)
    if args.json:
        print(json.dumps([[vars(match) for match in matches] for matches in found], indent=1, ensure_ascii=False))
        return
    for query, matches in zip(args.items, found):
        print(query)
        print("\n".join(map(_line, matches)) or "  no match")
    if decision:
        share = gallery.pair_share
        own = f"; among this gallery's images it is {100 * share:.3g} %: --prior {share:.3g}" if share else ""
        print(f"% is the probability of one identity at {decision.prior_words}, {PRIOR}{own}.")


def _line(match: Match) -> str:
    from reidzoo.files import show_path

    shown = [f"{match.similarity:6.3f}"]
    shown += [f"{100 * match.probability:5.1f} %"] if match.probability is not None else []
    for what in ("identity", "camera"):
        name = getattr(match, what)
        shown.append(f"no {what}" if name is None else f"{what} {name}")
    name = show_path(match.name) if os.path.isabs(match.name) else match.name
    return "  " + "  ".join([*shown, name])


def _show(args: argparse.Namespace) -> None:
    from reidzoo.gallery import Gallery

    gallery = Gallery.load(args.gallery)
    record = gallery.store.model
    print(f"{args.gallery}: {_summary(gallery)}")
    print(f"cameras: {', '.join(gallery.cameras) or 'unknown'}")
    print(f"model: {record.name}, {record.dim} values, from {record.weights} (sha256 {record.sha256})")


def _summary(gallery: Gallery) -> str:
    identities = gallery.store.identity_counts()
    return f"{len(gallery):,} images of {len(identities):,} known identities and {len(gallery.cameras):,} known cameras"


def _sources(args: argparse.Namespace) -> list[Any]:
    """Return what the words stand for: images together, each folder and each dataset by itself."""
    from reidzoo.commands.extract import open_dataset
    from reidzoo.datasets.base import IMAGE_EXTENSIONS

    images = [item for item in args.items if item.lower().endswith(IMAGE_EXTENSIONS)]
    others = [item for item in args.items if item not in images]
    folders = [item if os.path.isdir(item) else open_dataset(item, args.data_root) for item in others]
    return [*([images] if images else []), *folders]


def _options(args: argparse.Namespace, source: Any) -> dict[str, Any]:
    options = {"split": args.split, "skip_unreadable": args.skip_unreadable, "workers": args.workers, "title": "embed"}
    if isinstance(source, list):
        if args.camera is not None and len(args.camera) > 1:
            raise UserError("images that are added are of one --camera")
        options |= {"identities": args.identity, "cameras": (args.camera or [None])[0]}
    elif args.identity is not None or args.camera is not None:
        raise UserError("--identity and --camera are of single images; a folder or a dataset says its own")
    return options
