"""Measure what a model's similarities mean: a threshold at a false-accept rate, and the probability of one identity."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidzoo.commands.arguments import add_model, add_trust, named_model
from reidzoo.errors import UserError
from reidzoo.files import show_path

if TYPE_CHECKING:
    from reidzoo.datasets import Dataset
    from reidzoo.evaluation.calibration_error import CalibrationError
    from reidzoo.inference.calibrate import Calibrated
    from reidzoo.runs.find_model import TrainedModel

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo calibrate domainmix_mini --dataset Market1501 --against CUHK03NP --data-root datasets-mini
then:  reidzoo compare output/calibration/domainmix_mini/domainmix_mini.safetensors A.jpg B.jpg"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(
        parser,
        "a run's folder, which keeps its calibration; or a model of the zoo, a model file or a checkpoint, of which a "
        "calibrated copy is written",
    )
    parser.add_argument(
        "--dataset", metavar="NODE",
        help="whose query and gallery to calibrate on, of people that the model has not seen: a name, or "
        "'{type: NAME, ...}' (default: the first that the run was to be tested on)",
    )  # fmt: skip
    parser.add_argument(
        "--against", action="append", metavar="NODE",
        help="another dataset, on which what was fitted to the first is only tried; repeat it for more (default: the "
        "others that the run was to be tested on)",
    )  # fmt: skip
    parser.add_argument(
        "--far", type=float, default=1e-3, metavar="RATE",
        help="the wanted false-accept rate: the share of pairs of two identities that pass for one (default: 0.001)",
    )  # fmt: skip
    parser.add_argument(
        "--prior", type=float, default=0.5, metavar="SHARE",
        help="the share of pairs of one identity among those that you will ask about (default: 0.5)",
    )  # fmt: skip
    parser.add_argument(
        "--method", choices=("auto", "isotonic", "logistic"), default="auto",
        help="the curve from similarities to probabilities (default: isotonic from 1,000 pairs of one identity on)",
    )  # fmt: skip
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--data-root", default="", metavar="DIR", help="the folder of datasets")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="where files go (default: the run, or output/calibration/NAME)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the samples and the bootstrap")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Calibrate the model, print what it is worth, and write it with its picture."""
    from reidzoo.engine.build import pick_device
    from reidzoo.inference.calibrate import calibrate
    from reidzoo.inference.load import load
    from reidzoo.needs import need
    from reidzoo.runs.find_model import find_model

    if not (0 < args.far < 1 and 0 < args.prior < 1):
        raise UserError("--far and --prior are shares between 0 and 1")
    if args.seed < 0:
        raise UserError("--seed takes a number from 0 up")
    need("sklearn", "calibrate")
    name = named_model(args)
    trained = find_model(weights=name, stage=args.stage, trust=args.trust)
    into = _folder(trained, args.output_dir)
    datasets = _datasets(trained, args)
    model = load(name, stage=args.stage, device=str(pick_device(args.device)), trust=args.trust)
    (title, dataset), *others = datasets.items()
    found = calibrate(
        model, dataset, dict(others), far=args.far, prior=args.prior, method=args.method, seed=args.seed
    )  # fmt: skip
    _print(found, title)
    kept = _write(trained, found, into)
    print(f"\nwritten: {kept} and {show_path(into / 'reliability.svg')}")
    if trained.run is None:
        print(f"a gallery that was built with {trained.name} takes it: reidzoo serve GALLERY --weights {kept}")


def _folder(trained: TrainedModel, given: Path | None) -> Path:
    """Return where files go."""
    if trained.run is not None:
        own = trained.run.stage(trained.stage).path
        if given is not None and given.resolve() != own.resolve():
            raise UserError(f"a run keeps its calibration in its own folder, {own}; leave --output-dir out")
        return own
    into = given or Path("output/calibration") / trained.name
    if (into / f"{trained.name}.safetensors").resolve() == trained.weights.resolve():
        raise UserError(f"{trained.weights} would be overwritten; name another folder with --output-dir")
    return into


def _datasets(trained: TrainedModel, args: argparse.Namespace) -> dict[str, Dataset]:
    """Return title -> dataset, the first being the one to calibrate on."""
    from reidzoo.datasets import build_dataset
    from reidzoo.datasets.nodes import read_node
    from reidzoo.engine.evaluate import target_title

    tests: list[Any] = list(trained.cfg.DATASETS.TESTS) if trained.run is not None else []
    nodes: list[Any] = [read_node(args.dataset, "--dataset")] if args.dataset else []
    nodes += [read_node(text, "--against") for text in args.against or []]
    if not args.dataset:
        if not tests:
            raise UserError("name the dataset to calibrate on, such as --dataset Market1501")
        nodes = [tests[0], *(nodes or tests[1:])]
    datasets: dict[str, Dataset] = {}
    for node in nodes:
        dataset = build_dataset(node, root=args.data_root or (trained.cfg.DATASETS.ROOT if tests else "datasets"))
        datasets[target_title(dataset, datasets)] = dataset
    return datasets


def _print(found: Calibrated, title: str) -> None:
    """Print the threshold, and what it and the probabilities are worth."""
    from tabulate import tabulate

    calibration, facts = found.calibration, found.calibration.facts
    low, high = calibration.interval
    print(
        f"threshold: a cosine similarity of {calibration.threshold:.4f} (95 % interval over identities {low:.4f} to "
        f"{high:.4f}), for a false-accept rate of {calibration.far:g}, from {facts['pairs_of_one_identity']:,} pairs "
        f"of one identity and {facts['pairs_of_two_identities']:,} of two"
    )
    print(f"probability: {calibration.method}, where {100 * calibration.prior:g} % of the pairs are of one identity\n")
    rows = [_row(f"{title}, identities held out", found.held_out)] if found.held_out else []
    rows += [_row(f"{other}, as calibrated on {title}", error) for other, error in found.elsewhere.items()]
    head = ["measured on", "calibration error", f"FAR (wanted {calibration.far:g})", "95 % of FAR", "true accepts"]
    if rows:
        print(tabulate(rows, head, disable_numparse=True))
    if not found.held_out:
        print(f"{title} has too few pairs to try it on identities held out: ask for a higher --far, or add images")
    if found.open_set:
        shares = ", ".join(f"{100 * share:.1f} % at FAR {far:g}" for far, share in found.open_set.rates.items())
        print(f"\nopen set, half of the people unknown: the right one is found for {shares}")


def _row(name: str, error: CalibrationError) -> tuple[str, ...]:
    low, high = error.false_accept_interval
    true = f"{100 * error.true_accept_rate:.1f} %"
    return name, f"{error.ece:.3f}", f"{error.false_accept_rate:.2g}", f"{low:.2g} to {high:.2g}", true


def _write(trained: TrainedModel, found: Calibrated, into: Path) -> str:
    """Write the calibration and its picture; return the path of what ``reidzoo.load`` takes."""
    from reidzoo.files import write_text
    from reidzoo.visualization import reliability_plot
    from reidzoo.weights.cache import sha256_of
    from reidzoo.weights.model_file import read_model_file, write_model_file

    node = found.calibration.to_dict()
    named = {f"{found.title}, identities held out": found.held_out, **found.elsewhere}
    errors = {f"{name} (error {error.ece:.3f})": error for name, error in named.items() if error is not None}
    points = {label: tuple(vars(error.reliability).values()) for label, error in errors.items()}
    picture = reliability_plot(points, f"{trained.name}: probabilities, as calibrated on {found.title}")
    write_text(into / "reliability.svg", picture)
    if trained.run is not None:
        path = trained.run.stage(trained.stage).calibration
        write_text(path, json.dumps({"sha256": sha256_of(trained.weights), "calibration": node}, indent=1) + "\n")
    else:
        path = into / f"{trained.name}.safetensors"
        content = read_model_file(trained.weights)
        write_model_file(path, content.state, content.config, {**content.info, "calibration": node})
    return show_path(path)
