from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.engine.image_table import ImageTable
from reidzoo.errors import DatasetError


@pytest.mark.parametrize("workers", [0, 1])
def test_what_can_be_read_and_what_not(tmp_path, workers):
    paths = [str(tmp_path / f"{n}.png") for n in range(4)]
    for n in (0, 2):
        Image.new("RGB", (16, 32), (n, 40, 50)).save(paths[n])
    (tmp_path / "1.png").write_bytes(b"no picture")
    table = ImageTable(paths, (32, 16), "bicubic", cache="off")
    rows = [np.array([0, 1, 2]), np.array([3])]
    (images, failed), (none, gone) = table.batches_or_report(rows, workers)
    assert torch.equal(images, table[np.array([0, 2])])
    assert [row for row, _ in failed] == [1] and "1.png" in failed[0][1]
    assert none.shape == (0, 3, 32, 16) and none.dtype == torch.uint8
    assert [row for row, _ in gone] == [3] and "does not exist" in gone[0][1]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_told_alike_from_a_worker(tmp_path, workers):
    paths = [str(tmp_path / f"{n}.png") for n in range(3)]
    for path in paths[:2]:
        Image.new("RGB", (16, 32)).save(path)
    (tmp_path / "2.png").write_bytes(b"no picture")
    batches = ImageTable(paths, (32, 16), "bicubic").batches([np.array([n]) for n in range(3)], workers)
    assert next(batches).shape == next(batches).shape == (1, 3, 32, 16)
    with pytest.raises(DatasetError) as caught:
        next(batches)
    message = str(caught.value)
    assert message.startswith(f"image {paths[2]} cannot be read") and "\n" not in message
    assert message.endswith("(`reidzoo check --deep` finds all such images before a run)")
