"""Convert another toolkit's checkpoint into a model file of reidzoo, with every name and shape accounted for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.errors import UserError

if TYPE_CHECKING:
    from reidzoo.weights.model_file import ModelFile

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo convert --from fastreid --size 384x128 market_sbs_R50.pth sbs.safetensors
then: reidzoo test --weights sbs.safetensors --targets Market1501"""
OPTIONS = {
    "bn": "whose batch norm a domain-adaptive model keeps",
    "pool": "how it pools, where the file does not say: avg for fastreid's BoT on persons, gem for its AGW",
    "stem": "fastreid's max pooling: padded until 2020, ceil since version 0.3; auto goes by the neck's name",
    "last_stride": "stride of layer 4",
    "neck": "whether features before or after the batch norm are compared (TransReID's TEST.NECK_FEAT)",
    "rearrange": "whether TransReID's JPM shifts and shuffles (MODEL.RE_ARRANGE)",
    "semantic_weight": "SOLIDER's share of semantics against appearance (MODEL.SEMANTIC_WEIGHT)",
    "sie": "what side information is of, where a file has it",
    "sie_weight": "lambda of the side information (MODEL.SIE_COE)",
    "fusion": "how PASS joins its tokens, where the file does not say (MODEL.FEAT_FUSION)",
}
"""The families' own options: what each one is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; the families say which there are."""
    from reidzoo.zoo.convert import FAMILIES

    lines = [f"  {family.name:12} {family.title}{_options(family.name)}" for family in FAMILIES.values()]
    parser.epilog = "families:\n" + "\n".join(lines) + f"\n\n{parser.epilog}"
    parser.add_argument(
        "--from", dest="family", required=True, metavar="FAMILY", help="whose checkpoint it is: see below"
    )
    parser.add_argument(
        "source", type=Path, metavar="IN", help="the checkpoint, e.g. model_best.pth.tar, or its folder"
    )
    parser.add_argument("target", type=Path, metavar="OUT", help="the model file to write, *.safetensors")
    parser.add_argument("--size", metavar="HxW", help="height x width of the images, where it is not the family's own")
    for name, meaning in OPTIONS.items():
        values = dict.fromkeys(value for family in FAMILIES.values() for value in family.options.get(name, ()))
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="|".join(values), help=meaning)
    parser.add_argument("--name", help="what the model is called (default: the file's name)")


def _options(family: str) -> str:
    from reidzoo.zoo.convert import FAMILIES

    words = [f"--{name.replace('_', '-')}" for name in FAMILIES[family].options]
    if FAMILIES[family].size is None:
        words.insert(0, "--size needed")
    return f" [{', '.join(words)}]" if words else ""


def run(args: argparse.Namespace) -> None:
    """Convert the file and print the account."""
    from reidzoo.weights.cache import sha256_of
    from reidzoo.zoo.convert import check_recipe, convert_file

    given = {name: getattr(args, name) for name in ("size", *OPTIONS)}
    recipe = " ".join([args.family, *(f"{name}={value}" for name, value in given.items() if value is not None)])
    family, _ = check_recipe(recipe)
    if not args.source.is_file() and not (family.open and args.source.is_dir()):
        raise UserError(f"there is no file {args.source}")
    weights = family.open(args.source)[0] if family.open else args.source
    if args.target.exists() and args.target.samefile(args.source):
        raise UserError(f"{args.target} is the file to convert; write to another one")
    info = {"name": args.name or args.target.stem, "original_sha256": sha256_of(weights)}
    _report(args.target, convert_file(recipe, args.source, args.target, info))


def _report(path: Path, file: ModelFile) -> None:
    """Print what was written, what was left out, and what is to be known."""
    config, inputs = file.config, file.config["INPUT"]
    count = sum(tensor.numel() for name, tensor in file.state.items() if not name.endswith("num_batches_tracked"))
    print(f"{path}: {len(file.state)} tensors, {count / 1e6:.2f} million numbers")
    for part in ("BACKBONE", "HEAD"):
        print(f"{part.lower()}: {', '.join(f'{key} {value}' for key, value in config[part].items() if value != '')}")
    size = "x".join(map(str, inputs["SIZE"]))
    print(f"images: {size}, {inputs['INTERPOLATION']}, mean {inputs['MEAN']}, std {inputs['STD']}")
    for what, number in file.info["dropped"].items():
        print(f"left out on purpose: {what} ({number} {'tensor' if number == 1 else 'tensors'})")
    for note in file.info["notes"]:
        print(f"note: {note}")
