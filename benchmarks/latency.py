"""Time the embedding of one image by a loaded model against the bare forward pass on its pixels, in turns.

    python benchmarks/latency.py
    python benchmarks/latency.py --net r50ibn --calls 10

Ours is ``ReadyModel.embed`` on a path: decode, resize, normalise, embed, check. The bare pass embeds the normalised
image that lies ready, in channels_last. The ratio is of CPU time, the median over the rounds. The embeddings are
compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from common import Measurement, parser
from people import NETS, beside_bare_pass, config, draw_people
from torch import Tensor

from reidzoo.engine.build import build_model
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.transforms import Normalize, read_image


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the embeddings differ."""
    options = parser(__doc__)
    options.add_argument("--net", choices=NETS, default="r18")
    options.add_argument("--calls", type=int, default=50)
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args(argv)
    net = NETS[options.net]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_people(folder, 1, 1)
        (path,) = folder.rglob("*.jpg")
        cfg = config(folder, net, 1)
        torch.manual_seed(0)
        model = ReadyModel(build_model(cfg, 0), cfg, {})
        pixels = Normalize(cfg.INPUT.MEAN, cfg.INPUT.STD)(read_image(path, net.size)[None])
        pixels = pixels.contiguous(memory_format=torch.channels_last)

        def ours() -> Tensor:
            return [model.embed(path) for _ in range(options.calls)][-1]

        @torch.no_grad()
        def bare() -> Tensor:
            return [model.module.embed(pixels) for _ in range(options.calls)][-1]

        def note(found: Measurement, theirs: Measurement | None, _: tuple[float, float]) -> str:
            milliseconds = [1e3 * each.seconds / options.calls for each in (found, theirs) if each]
            return " and ".join(f"{value:.2f}" for value in milliseconds) + " ms an image"

        title = f"latency, {options.net} {net.size[0]} x {net.size[1]}, one image at a time, {options.calls} times"
        return beside_bare_pass(options, title, ours, bare, 1e-5, "an embedding", note)


if __name__ == "__main__":
    raise SystemExit(main())
