"""Rates of the loader and of extraction."""

from __future__ import annotations

from pathlib import Path

import torch
from shared import ARGS, base_yaml, best_of, config, device, fill_cache, free, say, timed
from torch import nn

from reidzoo.engine.build import build_loader, build_model, build_train_sets
from reidzoo.engine.extract import extract_features
from reidzoo.engine.image_table import ImageTable
from reidzoo.transforms import Normalize


def loader() -> dict:
    """Images per second of the loader with augmentation on the device, without a model."""
    found: dict = {}
    for cache in ("device", "on", "off"):
        for workers in (0, 2) if ARGS.tiny else (0, 4, 8, 16):
            cfg = config(base_yaml("r50"), "DATALOADER.CACHE", cache, "DATALOADER.NUM_WORKERS", workers)
            source = build_loader(cfg, build_train_sets(cfg), device())
            if cache != "off":
                found["decode_img_s_one_process"] = round(fill_cache(source.table))
            batches = source.epoch(0)
            count = 4 if ARGS.tiny else 20 if cache == "off" else 40
            for _ in range(2 + 2 * workers):  # what the workers have prepared meanwhile is not to count
                next(batches)
            seconds, _ = timed(lambda b=batches, c=count: [next(b)["img"] for _ in range(c)])
            name = f"cache {cache}, {workers} workers"
            found[name] = round(source.batch_size * count / seconds)
            say("loader", name, found[name], "img/s")
            del batches, source
    return found


def extract() -> dict:
    """Images per second of ``extract_features`` from memory, and of the bare forward pass."""
    cfg = config(base_yaml("r50"))
    paths = [str(p) for p in sorted((Path(ARGS.work) / "data").rglob("bounding_box_train/*.jpg"))]
    table = ImageTable(paths, cfg.INPUT.SIZE, "bicubic", cache="on")
    fill_cache(table)
    normalize, found = Normalize(cfg.INPUT.MEAN, cfg.INPUT.STD), {}
    batch = 32 if ARGS.tiny else 128
    for layout in (torch.contiguous_format, torch.channels_last):
        tag = "NHWC" if layout is torch.channels_last else "NCHW"
        torch.manual_seed(0)
        model = build_model(cfg, 0).to(device()).eval().to(memory_format=layout)
        images = torch.randn(batch, 3, *map(int, cfg.INPUT.SIZE), device=device()).contiguous(memory_format=layout)
        for precision in ("bf16", "fp32"):

            def bare(model: nn.Module = model, images: torch.Tensor = images, precision: str = precision) -> None:
                with torch.no_grad(), torch.autocast(device().type, torch.bfloat16, enabled=precision == "bf16"):
                    model.embed(images)

            for _ in range(3):
                bare()
            found[f"bare {tag} {precision}"] = round(batch / best_of(bare, 3 if ARGS.tiny else 10))

            def ours(
                model: nn.Module = model, precision: str = precision, layout: torch.memory_format = layout
            ) -> None:
                how = {"precision": precision, "channels_last": layout is torch.channels_last}
                extract_features(model, table, normalize, device=device(), batch_size=batch, **how)

            ours()
            found[f"ours, model {tag}, {precision}"] = round(len(table) / best_of(ours, 2))
        del model
        free()
    say("extract", found)
    return found
