"""A training that takes a second: images, a configuration, a trainer."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from yacs.config import CfgNode

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_train_sets

__all__ = ["SOURCE", "TARGET", "tiny_arguments", "tiny_config", "write_images"]

SOURCE = {"type": "CSVDataset", "file": "source.csv"}
TARGET = {"type": "CSVDataset", "file": "target.csv"}
"""Two datasets of the check's training: six identities each, four images of each from two cameras."""

CONFIG = {
    "DATASETS": {"TRAIN": {"train": SOURCE}, "TESTS": [SOURCE]},
    "INPUT": {"SIZE": [32, 16], "TRANSFORMS": {"crop": {"pad": 2}}},
    "BACKBONE": {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""},
    "LOSSES": {"id": {"type": "CrossEntropyLoss"}, "triplet": {"type": "TripletLoss"}},
    # Not Adam, which makes as much of a rounding error as of a gradient.
    "OPTIMIZERS": {"model": {"type": "SGD", "lr": 0.01, "momentum": 0.9}},
    "SOLVER": {"IMS_PER_BATCH": 8, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 2},
    "HOOKS": dict.fromkeys(("stop_on_nan", "evaluate", "log", "progress", "checkpoint")),
    "LOG": {"PERIOD": 1},
    "DEVICE": "cpu",
}


def write_images(folder: Path) -> None:
    """Write the images of ``SOURCE`` and ``TARGET`` and their lists below ``folder``."""
    for number, node in enumerate((SOURCE, TARGET)):
        with open(folder / node["file"], "w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(("path", "pid", "camid", "split", "timeid"))
            for split in ("train", "query", "gallery"):
                for pid in range(6):
                    for image in range({"train": 4, "query": 1, "gallery": 2}[split]):
                        name = f"{number}_{split}_{pid}_{image}.png"
                        _write_image(folder / name, (number, pid, len(split), image))
                        lines.writerow((name, pid, (image + (split == "query")) % 2, split, image % 2))


def _write_image(path: Path, numbers: tuple[int, ...]) -> None:
    """Write noise around two colours, which the first two numbers decide."""
    colours = np.random.default_rng(numbers[:2]).integers(30, 225, (2, 3))
    pixels = np.repeat(colours, 16, axis=0)[:, None, :] + np.random.default_rng(numbers).normal(0, 12, (32, 16, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def tiny_config(folder: Path, changes: Mapping[str, Any]) -> CfgNode:
    """Return the configuration of a training on the images in ``folder``, two epochs of two steps, with ``changes``."""
    path = folder / "tiny.yml"
    path.write_text(yaml.safe_dump({**CONFIG, "OUTPUT_DIR": str(folder / "run")}), encoding="utf-8")
    root = {"DATASETS": {"ROOT": str(folder)}}
    (cfg,) = stage_configs(load_config(path, overlays=[root, changes])).values()
    return cfg


def tiny_arguments(cfg: CfgNode, output_dir: Path) -> dict[str, Any]:
    """Return what a trainer is built with; its training sets are its own."""
    output_dir.mkdir(parents=True, exist_ok=True)
    sets = build_train_sets(cfg)
    return {"cfg": cfg, "sets": sets, "output_dir": output_dir, "device": torch.device("cpu")}
