"""Pictures that a hash tells apart, each defect made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


def picture(seed, size=(48, 24)):
    """Return a smooth random picture, uint8 (H, W, 3); pictures of other seeds look different."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def save(path, seed, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed)).save(path, **options)
    return path


@pytest.fixture
def crops(tmp_path):
    """Three people to learn from and two to test on, by two cameras, with nothing wrong."""
    folder = tmp_path / "crops"
    for seed, (split, person) in enumerate([("train", "anna"), ("train", "bo"), ("train", "eva")]):
        for number in range(4):
            save(folder / split / person / f"{number}_c{number % 2}.png", 10 * seed + number)
    for seed, person in enumerate(["ida", "kim"]):
        save(folder / "query" / person / "0_c0.png", 100 + 10 * seed)
        for number in range(1, 4):
            save(folder / "gallery" / person / f"{number}_c1.png", 100 + 10 * seed + number)
    return folder
