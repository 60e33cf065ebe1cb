from __future__ import annotations

import gc
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.engine.image_cache import keep_images
from reidzoo.engine.image_table import ImageTable

SIZE = (32, 16)
EACH = 3 * 32 * 16
ROWS = [np.array([3, 0, 3]), np.array([1]), np.array([], dtype=int), np.array([5, 4, 0, 2])]


@pytest.fixture
def paths(tmp_path):
    paths = [str(tmp_path / f"{n}.png") for n in range(6)]
    for n, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (40, 20 + n % 2, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture
def decoded(monkeypatch):
    """The paths that this process has decoded, in order."""
    from reidzoo.engine import image_table

    seen, read = [], image_table.read_images

    def note(paths, **options):
        seen.extend(paths)
        return read(paths, **options)

    monkeypatch.setattr(image_table, "read_images", note)
    return seen


def table(paths, cache="auto"):
    return ImageTable(paths, SIZE, "bicubic", cache)


@pytest.mark.parametrize("cache", ["auto", "on", "device", "off"])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_neither_the_cache_nor_the_workers_change_a_pixel(paths, cache, workers):
    plain, images = table(paths, "off"), table(paths, cache)
    for _ in range(2):  # the second time from the cache
        found = list(images.batches(ROWS, workers))
        assert all(torch.equal(one, plain[rows]) for one, rows in zip(found, ROWS, strict=True))


@pytest.mark.parametrize("cache", ["auto", "off"])
def test_a_kept_image_is_decoded_once(paths, decoded, cache):
    images = table(paths, cache)
    for _ in range(2):
        list(images.batches(ROWS, 0))
    again = [3, 0, 3, 1, 5, 4, 0, 2] * 2
    assert decoded == [paths[n] for n in ([0, 3, 1, 2, 4, 5] if cache == "auto" else again)]


def test_the_tables_of_a_run_share_what_they_have_decoded(paths, decoded):
    with keep_images():
        first = table(paths[:4])[np.arange(4)]
        second = table([paths[5], paths[2], paths[0]])
        found = second[np.array([2, 0, 1])]
        assert decoded == [*paths[:4], paths[5]]
        assert torch.equal(found, torch.stack([first[0], table(paths, "off")[[5]][0], first[2]]))
        ImageTable(paths, (16, 8), "bicubic")[np.array([0])]  # another size is another image
    assert decoded[6:] == [paths[0]]
    table(paths)[np.array([1])]  # the run is over
    assert decoded[7:] == [paths[1]]


def test_what_does_not_fit_is_said_and_decoded_each_time(paths, decoded, caplog):
    with keep_images() as cache, caplog.at_level(logging.INFO, logger="reidzoo"):
        cache.limits[torch.device("cpu")] = 3 * EACH
        small = table(paths[:2])
        small[np.array([0, 1])]
        large = table(paths)  # two of its images are there
        plain = table(paths, "off")
        for rows in ROWS:
            assert torch.equal(large[rows], plain[rows])
        assert "4 of 6 images are not kept in memory" in caplog.text
        decoded.clear()
        large[np.array([0, 1, 4, 4])]
        assert decoded == [paths[4]]
        del small, large
        gc.collect()
        table(paths[2:])  # four do not fit beside the two, nor without them: those stay
        assert sum(len(block.paths) for blocks in cache.blocks.values() for block in blocks) == 2
        assert len(table(paths, "on")) == 6  # whatever the limit
        assert sum(len(block.paths) for blocks in cache.blocks.values() for block in blocks) == 6


def test_images_that_no_table_uses_make_room(paths, decoded):
    with keep_images() as cache:
        cache.limits[torch.device("cpu")] = 4 * EACH
        table(paths[:3])[np.arange(3)]
        used = table(paths[3:5])  # does not fit beside the three, which nobody uses
        used[np.arange(2)]
        table(paths[:3])[np.arange(3)]  # the two are in use: decoded anew
        used[np.arange(2)]
        assert decoded == [*paths[:3], *paths[3:5], *paths[:3]]
        del used
        gc.collect()
        assert [len(block.users) for blocks in cache.blocks.values() for block in blocks] == [0]


def test_no_more_images_make_room_than_have_to(paths, decoded):
    with keep_images() as cache:
        cache.limits[torch.device("cpu")] = 4 * EACH
        for part in (paths[:2], paths[2:4], paths[4:6]):  # the last does not fit beside both others
            table(part)[np.arange(2)]
        decoded.clear()
        table(paths[2:6])[np.arange(4)]
        assert decoded == []
        table(paths[:2])[np.arange(2)]
        assert decoded == paths[:2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("fits", [True, False])
def test_images_on_a_gpu_are_those_in_memory(paths, fits):
    device = torch.device("cuda", 0)
    with keep_images() as cache:
        cache.limits[device] = 6 * EACH if fits else EACH
        images, plain = ImageTable(paths, SIZE, "bicubic", "device", device), table(paths, "off")
        for _ in range(2):
            for found, rows in zip(images.batches(ROWS, 1), ROWS, strict=True):
                assert found.device.type == ("cuda" if fits else "cpu")
                assert torch.equal(found.cpu(), plain[rows])
