"""Time the loader against the published design of fastreid's, which is written down here, in turns in one process.

    python benchmarks/loader.py                                    # small: from the disk, in this process
    python benchmarks/loader.py --workers 2 --batches 40 --rounds 5
    python benchmarks/loader.py --cache on --batches 40 --rounds 5

Both give batches of 64 normalised, flipped, cropped and erased float images, 256 x 128, of 128 x 64 JPEGs. The
reference decodes, resizes and augments image by image in a DataLoader (He et al., "FastReID", 2020; the order of its
transforms and its collation into one tensor), and normalises the batch as its models do. Ours decodes a batch at once,
or takes it from its cache, and augments it whole. Without augmentation both give the same pixels, but for the last
rounding of the resize; that is compared, too. The ratio is of CPU time, that of workers included, the median over the
rounds; the seconds stand beside it. Memory is the peak of this process beyond what is kept of the images.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import measured, memory_ratio, parser, record
from people import NETS, config, draw_people, in_turns, median, ratio
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from yacs.config import CfgNode

from reidzoo.engine.build import build_loader, build_train_sets
from reidzoo.engine.freed_memory import keep_freed_memory
from reidzoo.engine.loader import TrainLoader

NET = NETS["r50ibn"]._replace(batch=64)
PLAIN = ("INPUT.TRANSFORMS", "{flip: null, crop: null, erase: null}")


class Images(Dataset):
    """Images one at a time, as torchvision's transforms make them."""

    def __init__(self, paths: list[str], augment: bool) -> None:
        self.paths = paths
        steps: list[Any] = [transforms.Resize(NET.size, transforms.InterpolationMode.BICUBIC)]
        if augment:
            steps += [transforms.RandomHorizontalFlip(), transforms.Pad(NET.pad), transforms.RandomCrop(NET.size)]
        self.transform = transforms.Compose([*steps, transforms.Lambda(to_float)])
        self.erase = transforms.RandomErasing(0.5, (0.02, 0.4), value=[123.675, 116.28, 103.53]) if augment else None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        """Return an image in 0..255, and its row."""
        image = self.transform(Image.open(self.paths[row]).convert("RGB"))
        return self.erase(image) if self.erase else image, row


def to_float(image: Image.Image) -> Tensor:
    """Return an image as a float tensor in 0..255."""
    return torch.from_numpy(np.array(image, copy=True)).permute(2, 0, 1).contiguous().float()


def collate(samples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Return a batch: images copied one by one into one tensor."""
    images = torch.zeros((len(samples), *samples[0][0].shape))
    for row, (image, _) in enumerate(samples):
        images[row] += image
    return images, torch.tensor([row for _, row in samples])


def reference(paths: list[str], rows: list[list[int]], cfg: CfgNode, workers: int, augment: bool) -> Iterator[Tensor]:
    """Yield the reference's batches of ``rows``."""
    mean, std = (255 * torch.tensor(values)[:, None, None] for values in (cfg.INPUT.MEAN, cfg.INPUT.STD))
    loader = DataLoader(Images(paths, augment), batch_sampler=rows, num_workers=workers, collate_fn=collate)
    for images, _ in loader:
        yield images.sub_(mean).div_(std)


def build(folder: Path, options: Any, *opts: object) -> TrainLoader:
    """Return our loader; its cache is filled if it is on."""
    words = ("DATALOADER.CACHE", options.cache, "DATALOADER.NUM_WORKERS", options.workers, *opts)
    cfg = config(folder, NET, options.batches, *words)
    loader = build_loader(cfg, build_train_sets(cfg), torch.device("cpu"))
    if options.cache == "on":
        for rows in np.array_split(np.arange(len(loader.table)), 8):
            loader.table[rows]
    return loader


def difference_of_pixels(folder: Path, options: Any) -> float:
    """Return the largest difference of a pixel without augmentation, in levels of 0..255."""
    loader = build(folder, options, *PLAIN)
    cfg, worst = config(folder, NET, options.batches, *PLAIN), 0.0
    rows = [batch.tolist() for batch in loader.plan(0)["train"]]
    theirs = reference(loader.table.paths, rows, cfg, options.workers, augment=False)
    for ours, images in zip(loader.epoch(0), theirs, strict=True):
        levels = (ours["img"] - images) * 255 * torch.tensor(cfg.INPUT.STD)[:, None, None]
        worst = max(worst, float(levels.abs().max()))
    return worst


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the pixels differ."""
    options = parser(__doc__)
    options.add_argument("--cache", choices=("on", "off"), default="off", help="of ours; the reference has none")
    options.add_argument("--workers", type=int, default=0)
    options.add_argument("--batches", type=int, default=4, help="of 64 images, in a round")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--ids", type=int, default=32, help="identities that are drawn, of 16 images each")
    options = options.parse_args(argv)
    keep_freed_memory()
    random.seed(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_people(folder, options.ids, 16)
        loader, epochs = build(folder, options), iter(range(10**6))
        rows = [batch.tolist() for batch in loader.plan(0)["train"]]
        paths, cfg = loader.table.paths, config(folder, NET, options.batches)

        def ours() -> None:
            for _ in loader.epoch(next(epochs)):
                pass

        def theirs() -> None:
            for _ in reference(paths, rows, cfg, options.workers, augment=True):
                pass

        peaks = [measured(way).peak for way in (ours, theirs)]
        costs = in_turns(
            {"ours": ours} if options.skip_reference else {"ours": ours, "reference": theirs}, options.rounds
        )
        worst = difference_of_pixels(folder, options)
    return report(
        options, {name: median(own, peak=most) for (name, own), most in zip(costs.items(), peaks)}, costs, worst
    )


def report(options: Any, found: dict[str, Any], costs: dict[str, Any], worst: float) -> int:
    """Print and record the figures; return 1 if the pixels differ."""
    images, ours = 64 * options.batches, found["ours"]
    source = "from the cache" if options.cache == "on" else "from the disk"
    title = f"loader, {images:,} images 256 x 128 {source}, {options.workers} workers"
    print(title)
    print(ours.line("ours", f"{images / ours.seconds:,.0f} images/s, {1e6 * ours.cpu / images:.0f} us of CPU an image"))
    if options.skip_reference:
        record(options.json, title, ours)
        return 0
    theirs, (of_seconds, of_cpu) = found["reference"], ratio(costs["reference"], costs["ours"])
    notes = [
        f"{images / ours.seconds:,.0f} and {images / theirs.seconds:,.0f} images/s, {of_seconds:.2f} x in seconds",
        f"{1e6 * ours.cpu / images:.0f} and {1e6 * theirs.cpu / images:.0f} us of CPU an image",
    ]
    print(theirs.line("reference", "; ".join(notes)))
    print(f"ratio {of_cpu:.2f} x")
    difference = f"largest difference of a pixel {worst:.2f} levels of 255"
    print(difference)
    equal = worst < 2.01
    figures = {"reference": theirs, "ratio": of_cpu, "agree": equal, "difference": difference, "notes": notes}
    record(options.json, title, ours, memory_ratio=memory_ratio(ours, theirs), **figures)
    return int(not equal)


if __name__ == "__main__":
    raise SystemExit(main())
