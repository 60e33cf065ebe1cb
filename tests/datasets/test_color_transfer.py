from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.datasets import ColorTransfer, Record
from reidzoo.datasets.color_transfer import lab_to_rgb, rgb_to_lab
from reidzoo.errors import ConfigError

COLOURS = {0: (120, 90, 60), 3: (60, 100, 150), 4: (200, 200, 190)}


def make_records(folder, counts=((0, 6), (3, 6), (4, 1)), noise=15):
    """Write images whose cameras have colours of their own; camera 4 has one image."""
    rng, records = np.random.default_rng(0), []
    for camera, count in counts:
        for number in range(count):
            pixels = rng.normal(COLOURS[camera], noise, (64, 32, 3)).clip(0, 255).astype(np.uint8)
            path = folder / f"{camera}_{number}.png"
            Image.fromarray(pixels).save(path)
            records.append(Record(str(path), -1, camera))
    return records


def read(records):
    return torch.stack([torch.from_numpy(np.array(Image.open(r.path))).permute(2, 0, 1) for r in records])


def test_lab_is_lab():
    # CIE Lab of sRGB, D65; from the definition (L 0..100, here over 100)
    for rgb, lab in [
        ((1, 1, 1), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 1), (32.30, 79.19, -107.86)), ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ]:  # fmt: skip
        found = rgb_to_lab(torch.tensor(rgb, dtype=torch.float32).reshape(1, 3, 1, 1)).flatten() * 100
        assert torch.allclose(found, torch.tensor(lab, dtype=torch.float32), atol=0.05), (rgb, found)
    images = torch.rand(4, 3, 8, 8)
    assert torch.allclose(lab_to_rgb(rgb_to_lab(images)), images, atol=1e-4)


def test_equals_the_formula_in_rgb(tmp_path):
    records = make_records(tmp_path)
    pixels = read(records)
    cameras = np.array([r.camid for r in records])
    numbers = np.array([0.99, 0.5, 0.0, 0.0] + [0.4] * (len(records) - 4))
    result = ColorTransfer(records, "rgb").restyle(pixels, np.arange(len(records)), numbers)
    mean, std = (
        {c: f(pixels[cameras == c].double().transpose(0, 1).flatten(1)) for c in COLOURS}
        for f in (lambda x: x.mean(1), lambda x: x.std(1, correction=0))
    )
    for row, number in enumerate(numbers):
        own, other = cameras[row], sorted(COLOURS)[int(number * 3)]
        wanted = (pixels[row].double().permute(1, 2, 0) - mean[own]) * std[other] / std[own] + mean[other]
        difference = result[row].double() - wanted.permute(2, 0, 1).clamp(0, 255)
        assert difference.abs().max() <= 0.51


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_takes_the_other_cameras_colours_and_keeps_the_own_bit_by_bit(tmp_path, space):
    records = make_records(tmp_path)
    pixels = read(records)
    styles = ColorTransfer(records, space)
    rows = np.zeros(300, dtype=np.int64)
    numbers = (np.arange(300) + 0.5) / 300
    result = styles.restyle(pixels[rows], rows, numbers)
    assert torch.equal(result[:100], pixels[rows[:100]])  # its own camera: a third of the draws
    for start, camera in ((100, 3), (200, 4)):
        colour = result[start : start + 100].float().mean((0, 2, 3))
        assert torch.allclose(colour, torch.tensor(COLOURS[camera], dtype=torch.float32), atol=8), (space, colour)
    assert styles.paths == () and np.array_equal(styles.files(rows, numbers), rows)
    assert "not CamStyle" in styles.title
    assert torch.equal(styles.restyle(pixels[:2], np.array([0, 1]), np.array([0.1, 0.2])), pixels[:2])


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_a_camera_of_one_flat_image_keeps_the_contrast(tmp_path, space):
    records = make_records(tmp_path, counts=((0, 3),)) + make_records(tmp_path, counts=((4, 1),), noise=0)
    styles = ColorTransfer(records, space)
    pixels = read(records)
    # From the flat camera to the varied one the contrast stays, and the other way it goes.
    result = styles.restyle(pixels, np.arange(4), np.array([0.9, 0.9, 0.9, 0.1])).float()
    assert result[3].std(dim=(1, 2)).max() < 1 and torch.isfinite(result).all()
    assert (result[3].mean((1, 2)) - torch.tensor(COLOURS[0])).abs().max() < 4
    assert (result[:3].mean((0, 2, 3)) - torch.tensor(COLOURS[4])).abs().max() < 4


def test_unknown_space():
    with pytest.raises(ConfigError, match="space must be lab or rgb"):
        ColorTransfer([], "hsv")
