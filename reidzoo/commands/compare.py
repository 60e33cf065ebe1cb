"""Compare two images: exit code 0 if their similarity reaches the threshold, 1 if it does not, 2 for a mistake."""

from __future__ import annotations

import argparse
import sys

from reidzoo.commands.arguments import add_model, add_prior, add_trust, named_model
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
        help="a cosine similarity to compare theirs with (default: what reidzoo calibrate found)",
    )  # fmt: skip
    add_prior(parser)
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda"))
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Print on which side of the threshold the similarity lies, and the probability; exit with 1 where it is below."""
    from reidzoo.inference.decision import PRIOR, Decision
    from reidzoo.inference.load import load

    if args.threshold is not None and not -1 <= args.threshold <= 1:
        raise UserError("--threshold is a cosine similarity, from -1 to 1")
    name = named_model(args)
    model = load(name, device=args.device, stage=args.stage, trust=args.trust)
    decision = Decision.of(model, args.prior)
    similarity = float(model.similarity(*args.images))
    if decision is None and args.threshold is None:
        raise UserError(
            f"the cosine similarity is {similarity:.4f}, and nothing says whether that is much for {name}. Find "
            f"out on images with identities, and compare with the model that this names: reidzoo calibrate "
            f"{name} --dataset NAME --data-root DIR. Or say where to draw the line, such as --threshold 0.8"
        )
    threshold, line = args.threshold, "the threshold"
    if decision is not None and threshold is None:
        threshold, line = model.threshold, decision.threshold_words
    side = "above" if similarity >= threshold else "below"
    print(f"{side} {line}: cosine similarity {similarity:.4f}, threshold {threshold:.4f}")
    if decision is not None:
        probability = decision.probability(similarity)
        print(f"probability of one identity: {probability:.3f} at {decision.prior_words} ({PRIOR})")
    if similarity < threshold:
        sys.exit(1)
