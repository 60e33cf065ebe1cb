from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.transforms import read_image


def picture(width, height, mode="RGB"):
    y, x = np.mgrid[:height, :width]
    values = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=2).astype(np.uint8)
    return Image.fromarray(values).convert(mode)


def test_equals_decoding_in_full(tmp_path):
    path = tmp_path / "person.jpg"
    picture(90, 200).save(path, quality=95)
    with Image.open(path) as file:
        expected = np.asarray(file.convert("RGB").resize((32, 64), Image.Resampling.BICUBIC))
    image = read_image(path, (64, 32))
    assert image.dtype == torch.uint8
    assert image.is_contiguous()
    assert (image.permute(1, 2, 0).numpy() == expected).all()
    bilinear = read_image(str(path), (64, 32), "bilinear")
    assert (bilinear != image).any()


def test_its_own_size_is_not_resampled(tmp_path):
    picture(32, 64).save(tmp_path / "person.png")
    expected = np.asarray(picture(32, 64))
    assert (read_image(tmp_path / "person.png", (64, 32)).permute(1, 2, 0).numpy() == expected).all()


def test_large_jpegs_are_decoded_small_and_look_the_same(tmp_path):
    path = tmp_path / "large.jpg"
    picture(320, 640).save(path, quality=95)
    with Image.open(path) as file:
        expected = np.asarray(file.convert("RGB").resize((32, 64), Image.Resampling.BICUBIC)).astype(int)
    difference = abs(read_image(path, (64, 32)).permute(1, 2, 0).numpy().astype(int) - expected)
    assert difference.mean() < 1.5


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_any_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    picture(20, 40, mode).save(path)
    assert read_image(path, (64, 32)).shape == (3, 64, 32)


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match=r"nobody.jpg does not exist"):
        read_image(tmp_path / "nobody.jpg", (64, 32))


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png", "text.jpg", "empty.jpg"])
def test_broken_files_are_named(tmp_path, name):
    path = tmp_path / name
    picture(60, 120).save(tmp_path / f"whole{path.suffix}")
    whole = (tmp_path / f"whole{path.suffix}").read_bytes()
    path.write_bytes({"text.jpg": b"not an image", "empty.jpg": b""}.get(name, whole[: len(whole) // 2]))
    with pytest.raises(DatasetError, match=f"{name} cannot be read"):
        read_image(path, (64, 32))


def test_a_folder_is_not_an_image(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        read_image(tmp_path, (64, 32))


def test_unknown_interpolation(tmp_path):
    with pytest.raises(ConfigError, match=r"bicubc.*bicubic"):
        read_image(tmp_path / "person.jpg", (64, 32), "bicubc")
