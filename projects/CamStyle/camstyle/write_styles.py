"""Writes the style images: every training image as every other camera would have seen it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from camstyle.trainer import StarGANTrainer
from reidzoo import distributed
from reidzoo.checks import TEXT, check, one_of, whole
from reidzoo.engine.build import build_table, final_size
from reidzoo.files import write_whole
from reidzoo.hooks import Hook
from reidzoo.registry import HOOK
from reidzoo.transforms import Normalize

__all__ = ["NAMES", "WriteStylesHook"]

logger = logging.getLogger("reidzoo")

NAMES = {
    "pair": lambda stem, camera, other: f"{stem}_fake_{camera + 1}to{other + 1}.jpg",
    "target": lambda stem, camera, other: f"{stem}_fake_{other + 1}.jpg",
}
"""File names of published style images, cameras counted from 1: ``pair`` Market-1501 and Duke, ``target`` MSMT17."""


@HOOK.register_module()
class WriteStylesHook(Hook[StarGANTrainer]):
    """Writes the style images after training, and ``styles.jpg``: some images in a row each, a column per camera.

    A file that exists is kept, so an interrupted run goes on where it stopped.

    Args:
        folder: where, relative to the run's folder.
        names: ``pair`` or ``target``, a key of ``NAMES``.
        rows: images on the contact sheet, 1 to 1000.
        quality: of the JPEG files, 1 to 100.

    Raises:
        ConfigError: an unknown naming.
    """

    priority = 45

    def __init__(self, folder: str = "styles", names: str = "pair", rows: int = 8, quality: int = 95) -> None:
        check(self, TEXT, folder=folder)
        check(self, one_of(*NAMES), names=names)
        check(self, whole(1, 1000), rows=rows)
        check(self, whole(1, 100), quality=quality)
        self.folder, self.name, self.rows, self.quality = folder, NAMES[names], rows, quality

    def after_train(self, runner: StarGANTrainer) -> None:
        """Write this process's share of the images; the first process draws the sheet."""
        folder = runner.output_dir / self.folder
        folder.mkdir(parents=True, exist_ok=True)
        runner.model.eval()
        images, cameras = runner.images, runner.cameras
        rows = np.arange(distributed.rank(), len(images), distributed.world_size())
        for row, real in self._real(runner, rows, "style images"):
            real_camera = int(images.records[row].camid)
            paths = {
                other: folder / self.name(Path(images.paths[row]).stem, real_camera, int(camera))
                for other, camera in enumerate(cameras)
                if camera != images.camids[row]
            }
            missing = [other for other, path in paths.items() if not path.exists()]
            for other, fake in zip(missing, _draw_as(runner, real, missing), strict=True):
                _save(fake, paths[other], self.quality)
        distributed.barrier()
        if distributed.is_main():
            sheet = runner.output_dir / "styles.jpg"
            with write_whole(sheet) as file:
                self._sheet(runner).save(file, "JPEG", quality=90)
            logger.info("style images are in %s; %s shows some", folder, sheet)
        runner.model.train()

    def _real(self, runner: StarGANTrainer, rows: np.ndarray, title: str) -> Iterator[tuple[int, Tensor]]:
        """Yield rows and their images (3, H, W) in -1..1, at the size that the generator was trained with."""
        cfg = runner.cfg.clone()
        cfg.defrost()
        cfg.INPUT.SIZE = list(final_size(runner.cfg))
        table = build_table(cfg, list(runner.images.paths), cache="off")
        normalize = Normalize(mean=cfg.INPUT.MEAN, std=cfg.INPUT.STD)
        chunks = table.batches([np.array([row]) for row in rows], cfg.DATALOADER.NUM_WORKERS)
        bar = tqdm(rows, desc=title, unit="img", leave=False, disable=None if distributed.is_main() else True)
        for row, image in zip(bar, chunks, strict=True):
            yield int(row), normalize(image.to(runner.device))[0]

    def _sheet(self, runner: StarGANTrainer) -> Image.Image:
        """Return the sheet: the real image first, then every camera's version, its own among them."""
        everyone = list(range(len(runner.cameras)))
        first = [np.flatnonzero(runner.images.camids == camera)[0] for camera in runner.cameras]
        spread = np.linspace(0, len(runner.images) - 1, self.rows).astype(int)
        rows = np.array([*first, *spread][: self.rows])
        strips = []
        for _, real in self._real(runner, rows, "contact sheet"):
            strips.append(np.concatenate([_pixels(real), *map(_pixels, _draw_as(runner, real, everyone))], axis=1))
        return Image.fromarray(np.concatenate(strips))


@torch.no_grad()
def _draw_as(runner: StarGANTrainer, image: Tensor, cameras: list[int]) -> Tensor:
    """Return ``image`` (3, H, W) as each of ``cameras`` (n) would see it, (n, 3, H, W)."""
    copies = image.expand(len(cameras), -1, -1, -1)
    return runner.model(copies, torch.tensor(cameras, device=image.device)) if cameras else copies


def _pixels(image: Tensor) -> np.ndarray:
    scaled = (image.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(1, 2, 0).cpu().numpy()


def _save(image: Tensor, path: Path, quality: int) -> None:
    # Not by ``write_whole``, which waits for the disk at each file: there are tens of thousands.
    temporary = path.with_suffix(".tmp")
    Image.fromarray(_pixels(image)).save(temporary, "JPEG", quality=quality)
    temporary.replace(path)
