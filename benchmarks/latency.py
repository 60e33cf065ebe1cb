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
from common import measured, memory_ratio, parser, record
from people import NETS, config, draw_people, in_turns, median, ratio
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

        mine, plain = measured(ours), measured(bare)
        costs = in_turns({"ours": ours} if options.skip_reference else {"ours": ours, "bare": bare}, options.rounds)
    apart = float((mine.answer - plain.answer).abs().max())
    found = median(costs["ours"], peak=mine.peak)
    title = f"latency, {options.net} {net.size[0]} x {net.size[1]}, one image at a time, {options.calls} times"
    print(title)
    print(found.line("ours", f"{1e3 * found.seconds / options.calls:.2f} ms an image"))
    if options.skip_reference:
        record(options.json, title, found)
        return 0
    theirs, (_, of_cpu) = median(costs["bare"], peak=plain.peak), ratio(costs["bare"], costs["ours"])
    notes = [f"{1e3 * found.seconds / options.calls:.2f} and {1e3 * theirs.seconds / options.calls:.2f} ms an image"]
    difference = f"largest difference of an embedding {apart:.1e}"
    print(theirs.line("bare pass"))
    print(f"ratio {of_cpu:.3f} x: {notes[0]}")
    print(difference)
    figures = {"reference": theirs, "ratio": of_cpu, "agree": apart < 1e-5, "difference": difference, "notes": notes}
    record(options.json, title, found, memory_ratio=memory_ratio(found, theirs), **figures)
    return int(apart >= 1e-5)


if __name__ == "__main__":
    raise SystemExit(main())
