"""Say whether two images show one identity: exit code 0 if they do, 1 if they do not, 2 for a mistake."""

from __future__ import annotations

import argparse
import sys

from reidzoo.commands.arguments import add_model, add_trust, named_model
from reidzoo.errors import UserError

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo compare models/mine.safetensors A.jpg B.jpg
or, with a model that is not calibrated:  reidzoo compare domainmix_mini A.jpg B.jpg --threshold 0.8"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser, "a model of the zoo, a run's folder, a model file or a checkpoint")
    parser.add_argument("images", nargs=2, metavar="IMAGE", help="a file with one person or vehicle")
    parser.add_argument(
        "--threshold", type=float, metavar="COSINE",
        help="the similarity from which on they count as one (default: what reidzoo calibrate found)",
    )  # fmt: skip
    parser.add_argument(
        "--prior", type=float, metavar="SHARE",
        help="the share of pairs of one identity among those that you ask about (default: the calibration's)",
    )  # fmt: skip
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda"))
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Print the verdict and what it rests on, and exit with 1 where it is "different"."""
    from reidzoo.inference.load import load

    if args.threshold is not None and not -1 <= args.threshold <= 1:
        raise UserError("--threshold is a cosine similarity, from -1 to 1")
    name = named_model(args)
    model = load(name, device=args.device, stage=args.stage, trust=args.trust)
    calibration = model.calibration
    if args.prior is not None and (calibration is None or not 0 < args.prior < 1):
        raise UserError("--prior is a share between 0 and 1, and takes a model that reidzoo calibrate has written")
    similarity = float(model.similarity(*args.images))
    if calibration is None and args.threshold is None:
        raise UserError(
            f"the cosine similarity is {similarity:.4f}, and nothing says whether that is much for {name}. Find "
            f"out on images with identities, and compare with the model that this names: reidzoo calibrate "
            f"{name} --dataset NAME --data-root DIR. Or say where to draw the line, such as --threshold 0.8"
        )
    threshold = model.threshold if args.threshold is None else args.threshold
    reaches = "reaches" if similarity >= threshold else "does not reach"
    rate = ""
    if calibration is not None and args.threshold is None:
        rate = f", which {100 * calibration.far:g} % of the pairs of two identities reach"
    verdict = "same" if similarity >= threshold else "different"
    print(f"{verdict}: the cosine similarity {similarity:.4f} {reaches} the threshold {threshold:.4f}{rate}")
    if calibration is not None:
        prior = calibration.prior if args.prior is None else args.prior
        probability = float(calibration.probability(similarity, prior))
        print(f"probability of one identity: {probability:.3f}, where {100 * prior:g} % of the pairs asked about are")
        if (probability >= 0.5) != (similarity >= threshold) and args.threshold is None:
            print(
                f"The verdict is strict for {100 * calibration.far:g} % false accepts, whatever is likelier; reidzoo "
                f"calibrate --far chooses another rate, and --threshold another similarity."
            )
    if similarity < threshold:
        sys.exit(1)
