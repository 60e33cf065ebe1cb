"""A step as the field's toolkits take it, fastreid's design written anew, beside ours, in one process.

The peer: NCHW, float16 autocast with a GradScaler, ``cudnn.benchmark``, Adam with torch's defaults, a look at every
loss in every step, and a DataLoader of 8 workers that decode by PIL, resize, flip, pad, crop, normalise and erase an
image at a time. Ours: bf16 and images decoded beforehand, as from its second epoch on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from shared import ARGS, base_yaml, config, device, free, left, rate, say, switches
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from train import bare_model, ours, triplet

WORKERS = 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Images(Dataset):
    """Decoded and augmented images, one at a time."""

    def __init__(self, paths: list[Path], size: tuple[int, int], pad: int) -> None:
        self.paths, self.size, self.pad = paths, size, pad
        pids = sorted({path.name[:4] for path in paths})
        self.pids = [pids.index(path.name[:4]) for path in paths]
        self.mean, self.std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        height, width = self.size
        image = Image.open(self.paths[row]).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        pixels = F.pad(pixels, (self.pad,) * 4)
        top, left_ = random.randint(0, 2 * self.pad), random.randint(0, 2 * self.pad)
        pixels = pixels[:, top : top + height, left_ : left_ + width]
        values = pixels.float().div_(255).sub_(self.mean).div_(self.std)
        if random.random() < 0.5:
            h, w = height // 3, width // 3
            top, left_ = random.randint(0, height - h), random.randint(0, width - w)
            values[:, top : top + h, left_ : left_ + w] = 0
        return values, self.pids[row]


def identity_batches(data: Images, batch: int) -> Iterator[list[int]]:
    """Yield batches of four images of an identity, for ever."""
    rows: dict[int, list[int]] = {}
    for row, pid in enumerate(data.pids):
        rows.setdefault(pid, []).append(row)
    while True:
        yield [row for pid in random.sample(sorted(rows), batch // 4) for row in random.choices(rows[pid], k=4)]


def peer_step(case: str, batches: Iterator[tuple[Tensor, Tensor]], classes: int) -> Callable[[], None]:
    """Return the peer's step."""
    model = bare_model(case, classes, torch.contiguous_format)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 3.5e-4, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device().type)

    def step() -> None:
        images, pid = (values.to(device(), non_blocking=True) for values in next(batches))
        with torch.autocast(device().type, torch.float16):
            outputs = model(images)
            losses = {
                "cls": F.cross_entropy(outputs["logits"].float(), pid, label_smoothing=0.1),
                "triplet": triplet(outputs["feat"].float(), pid),
            }
        optimizer.zero_grad()
        scaler.scale(sum(losses.values())).backward()
        scaler.step(optimizer)
        scaler.update()
        _ = [value.item() for value in losses.values()]

    return step


def peer() -> dict:
    """Images per second of the peer's step from disk and from the device's memory, and of ours, and their ratios."""
    case = "r18" if ARGS.tiny else "r50"
    cfg = config(base_yaml(case))
    batch, (height, width) = cfg.SOLVER.IMS_PER_BATCH, map(int, cfg.INPUT.SIZE)
    data = Images(sorted((Path(ARGS.work) / "data").rglob("bounding_box_train/*.jpg")), (height, width), 10)
    classes = max(data.pids) + 1
    found: dict[str, Any] = {}

    def put(name: str, make: Callable[[], Callable[[], None]], **flags: bool) -> None:
        if left() < 20 and not ARGS.tiny:
            found[name] = "left out: no time"
            return
        with switches(**flags):
            found[name] = rate(make(), batch, *((1, 2) if ARGS.tiny else (10, 25)))
        say("peer", name, found[name])
        free()

    kept = [(torch.randn(batch, 3, height, width, device=device()), torch.arange(batch, device=device()) // 4)]
    put("peer, images on the device", lambda: peer_step(case, iter(lambda: kept[0], None), classes), benchmark=True)
    loader = DataLoader(
        data, batch_sampler=identity_batches(data, batch), num_workers=1 if ARGS.tiny else WORKERS, pin_memory=True
    )
    put(f"peer, {WORKERS} workers", lambda: peer_step(case, iter(loader), classes), benchmark=True)
    for name, opts in {
        "ours": (),
        "ours, COMPILE graph": ("SOLVER.COMPILE", "graph"),
        "ours, COMPILE graph, CACHE device": ("SOLVER.COMPILE", "graph", "DATALOADER.CACHE", "device"),
    }.items():
        try:
            put(name, ours("bf16", *opts, case=case))
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
            say("peer", name, found[name])
    for name, row in list(found.items()):
        if name.startswith("ours") and isinstance(row, dict):
            found[f"{name}: ratio to the peer, {WORKERS} workers"] = ratio(row, found.get(f"peer, {WORKERS} workers"))
            found[f"{name}: ratio to the peer, on the device"] = ratio(row, found["peer, images on the device"])
    return found


def ratio(ours_row: dict, other: Any) -> Any:
    """Return how many times as many images per second ours has."""
    return round(ours_row["img_s"] / other["img_s"], 3) if isinstance(other, dict) else "not measured"
