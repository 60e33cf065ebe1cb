"""Time the extraction of features against the bare forward pass of the same net, in turns in one process.

    python benchmarks/extraction.py                                  # small: ResNet-18 of a quarter's width, 64 x 32
    python benchmarks/extraction.py --net r50ibn --images 256
    python benchmarks/extraction.py --cache off                      # as in the first evaluation of a run

Ours is ``extract_features`` on JPEGs, decoded anew or kept from an earlier evaluation. The bare pass embeds one batch,
normalised and in channels_last, that lies ready, as many times. The ratio is the bare pass's CPU time to ours, the
median over the rounds: 0.77 is 1.3 times the bare pass. The features of that batch are compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from common import Measurement, parser
from people import NETS, beside_bare_pass, config, draw_people
from torch import Tensor

from reidzoo.engine.build import build_model
from reidzoo.engine.extract import evaluation_mode, extract_features
from reidzoo.engine.freed_memory import keep_freed_memory
from reidzoo.engine.image_table import ImageTable
from reidzoo.transforms import Normalize


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the features differ."""
    options = parser(__doc__)
    options.add_argument("--net", choices=NETS, default="r18")
    options.add_argument("--images", type=int, default=512, help="to the next lower multiple of --batch")
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--cache", choices=("on", "off"), default="on")
    options = options.parse_args(argv)
    keep_freed_memory()
    net, batches = NETS[options.net], options.images // options.batch
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_people(folder, -(-options.images // 16), 16)
        cfg = config(folder, net, 1)
        torch.manual_seed(0)
        model = build_model(cfg, 0).to(memory_format=torch.channels_last)
        paths = sorted(map(str, folder.rglob("*.jpg")))[: batches * options.batch]
        table, normalize = (
            ImageTable(paths, net.size, "bicubic", options.cache),
            Normalize(cfg.INPUT.MEAN, cfg.INPUT.STD),
        )
        first = normalize(table[np.arange(options.batch)]).contiguous(memory_format=torch.channels_last)

        def ours() -> Tensor:
            return extract_features(model, table, normalize, device=torch.device("cpu"), batch_size=options.batch)

        @torch.no_grad()
        def bare() -> Tensor:
            with evaluation_mode(model):
                return [model.embed(first) for _ in range(batches)][-1]

        def note(found: Measurement, theirs: Measurement | None, times: tuple[float, float]) -> str:
            if theirs is None:
                return f"{1e6 * found.cpu / len(paths):.0f} us of CPU an image"
            of_seconds, of_cpu = times
            return f"{1 / of_cpu:.2f} times the bare pass's CPU time, {1 / of_seconds:.2f} times its seconds"

        source = "cached" if options.cache == "on" else "from the disk"
        title = f"extraction, {options.net} {net.size[0]} x {net.size[1]}, {len(paths):,} images {source}"
        return beside_bare_pass(options, title, ours, bare, 1e-4, "a feature", note)


if __name__ == "__main__":
    raise SystemExit(main())
