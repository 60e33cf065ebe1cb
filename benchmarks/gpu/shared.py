"""What the sections share: the device, the clock, the data, a trainer and its steps."""

from __future__ import annotations

import argparse
import contextlib
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from yacs.config import CfgNode

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.seed import seed_everything, seed_of
from reidzoo.registry import TRAINER
from reidzoo.trainers import Trainer

START = time.perf_counter()
ARGS = argparse.Namespace()


def device() -> torch.device:
    """Return the device that is measured."""
    return torch.device(ARGS.device, 0) if ARGS.device == "cuda" else torch.device(ARGS.device)


def is_cuda() -> bool:
    """Return whether it is a CUDA device."""
    return device().type == "cuda"


def sync() -> None:
    """Wait until the device has done all its work."""
    if is_cuda():
        torch.cuda.synchronize()


def left() -> float:
    """Return the seconds that are left of the budget."""
    return ARGS.budget - (time.perf_counter() - START)


def say(*words: object) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.perf_counter() - START:6.1f}s]", *words, flush=True)


def free() -> None:
    """Give back what nothing holds any more, and forget the peak."""
    gc.collect()
    if is_cuda():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gb() -> float:
    """Return the device's peak memory, in GB."""
    return round(torch.cuda.max_memory_allocated() / 1e9, 3) if is_cuda() else 0.0


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Call a function; return its seconds, the device's work included, and its answer."""
    sync()
    begin = time.perf_counter()
    answer = function(*arguments)
    sync()
    return time.perf_counter() - begin, answer


def best_of(function: Callable[[], Any], times: int) -> float:
    """Return the least seconds of some calls."""
    return min(timed(function)[0] for _ in range(times))


def config(text: str, *opts: object) -> CfgNode:
    """Return the frozen configuration of the only stage of a YAML text."""
    path = Path(ARGS.work) / "config.yml"
    path.write_text(text)
    (stage,) = stage_configs(load_config(str(path), opts=[str(o) for o in opts])).values()
    return stage


def base_yaml(case: str) -> str:
    """Return a baseline's configuration, with the losses and the optimizer of configs/base/baseline.yml."""
    size = {"r50ibn": [256, 128], "r50": [256, 128], "osnet": [256, 128], "r18": [64, 32]}[case]
    backbone = {
        "r50ibn": "{type: ResNet, depth: 50, ibn: a, last_stride: 1, pretrained: ''}",
        "r50": "{type: ResNet, depth: 50, last_stride: 1, pretrained: ''}",
        "osnet": "{type: OSNet, pretrained: ''}",
        "r18": "{type: ResNet, depth: 18, width: 16, last_stride: 1, pretrained: ''}",
    }[case]
    if ARGS.tiny:
        size = [64, 32]
    return f"""
DATASETS: {{ROOT: {ARGS.work}/data, TRAIN: {{train: Market1501}}, TESTS: []}}
INPUT: {{SIZE: {size}, TRANSFORMS: {{crop: {{pad: {10 if size[0] == 256 else 4}}}}}}}
BACKBONE: {backbone}
HEAD: {{type: BNNeck}}
LOSSES:
  id: {{type: CrossEntropyLoss, smoothing: 0.1}}
  triplet: {{type: TripletLoss}}
OPTIMIZERS: {{model: {{type: Adam, lr: 3.5e-4, weight_decay: 5.0e-4}}}}
SOLVER: {{MAX_EPOCHS: 100, IMS_PER_BATCH: {16 if ARGS.tiny else 64}, ITERS_PER_EPOCH: 5000}}
HOOKS: {{schedule: {{type: MultiStepSchedule, milestones: [40, 70], warmup_epochs: 10}}}}
DEVICE: {device().type}
"""


def write_data() -> None:
    """Draw JPEGs in Market-1501's layout: 64 x 128 pixels, as its own."""
    ids, per_id = (16, 8) if ARGS.tiny else (128, 16)
    folder = Path(ARGS.work) / "data" / "Market-1501-v15.09.15"
    rng = np.random.default_rng(0)
    for part, first in (("bounding_box_train", 2), ("query", 1000), ("bounding_box_test", 1000)):
        (folder / part).mkdir(parents=True)
        for pid in range(first, first + (ids if part == "bounding_box_train" else 8)):
            colour = rng.integers(0, 256, (16, 8, 3))
            for number in range(per_id if part == "bounding_box_train" else 4):
                noise = rng.integers(-30, 30, (16, 8, 3))
                image = Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).resize((64, 128))
                image.save(folder / part / f"{pid:04d}_c{number % 6 + 1}s1_{number:06d}_00.jpg", quality=90)
    (folder / "twin.json").write_text("{}")


def make_trainer(case: str, *opts: object) -> Trainer:
    """Build the trainer of a case, with images drawn by ``write_data``."""
    cfg = config(base_yaml(case), *opts)
    seed_everything(seed_of(cfg))
    folder = Path(tempfile.mkdtemp(dir=ARGS.work))
    return TRAINER.build(cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=folder, device=device())


def fill_cache(table: ImageTable) -> float:
    """Decode every image of a table; returns images per second of one process."""
    begin = time.perf_counter()
    for start in range(0, len(table), 256):
        table[np.arange(start, min(start + 256, len(table)))]
    return len(table) / (time.perf_counter() - begin)


class Steps:
    """A trainer's loop, one step at a time: what ``Trainer._train_epoch`` does."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        trainer.call("before_train")
        trainer.parts.train()
        trainer.call("before_train_epoch")
        self.batches = trainer.loader.epoch(trainer.epoch, trainer.step)

    def __call__(self) -> None:
        """Take a step, with all that hooks do."""
        trainer = self.trainer
        batch = next(self.batches)
        trainer.call("before_train_iter", batch_idx=trainer.step, data_batch=batch)
        trainer.scalars = trainer.train_step(batch)
        trainer.step, trainer.iter = trainer.step + 1, trainer.iter + 1
        trainer.call("after_train_iter", batch_idx=trainer.step - 1, data_batch=batch, outputs=trainer.scalars)
        trainer.call("save_point")


def rate(step: Callable[[], Any], images: int, warm: int, count: int, rounds: int = 3) -> dict[str, float]:
    """Return the median and the best images per second over ``rounds`` of ``count`` steps, and the peak memory."""
    free()
    for _ in range(warm):
        step()
    seconds = []
    for _ in range(rounds):
        seconds.append(timed(lambda: [step() for _ in range(count)])[0] / count)
    figures = {"img_s": images / statistics.median(seconds), "img_s_best": images / min(seconds)}
    return {k: round(v, 2) for k, v in figures.items()} | {
        "ms": round(1e3 * statistics.median(seconds), 3),
        "gb": peak_gb(),
    }


@contextlib.contextmanager
def switches(**values: bool) -> Iterator[None]:
    """Set torch's switches by short names and put them back."""
    places = {
        "benchmark": (torch.backends.cudnn, "benchmark"), "deterministic": (torch.backends.cudnn, "deterministic"),
        "conv_tf32": (torch.backends.cudnn, "allow_tf32"), "matmul_tf32": (torch.backends.cuda.matmul, "allow_tf32"),
    }  # fmt: skip
    before = {name: getattr(*places[name]) for name in values}
    for name, value in values.items():
        setattr(*places[name], value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(*places[name], value)
