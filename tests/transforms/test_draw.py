from __future__ import annotations

import numpy as np
import pytest

from reidzoo.errors import ConfigError
from reidzoo.random_streams import AUGMENTATION, random_generator
from reidzoo.transforms import BatchDraw


def test_shards_are_slices_of_the_whole():
    whole = BatchDraw(0, 1, 2, 12)
    shards = [BatchDraw(0, 1, 2, 12, start, start + 4) for start in (0, 4, 8)]
    for count in (1, 5, 2):
        expected = whole.uniform(count)
        assert expected.shape == (12, count)
        assert expected.dtype == np.float64
        assert (np.concatenate([shard.uniform(count) for shard in shards]) == expected).all()


def test_successive_calls_differ():
    draw = BatchDraw(0, 0, 0, 4)
    assert (draw.uniform(3) != draw.uniform(3)).all()


def test_depends_on_every_number():
    first = BatchDraw(0, 0, 0, 4).uniform(1)
    others = [BatchDraw(1, 0, 0, 4), BatchDraw(0, 1, 0, 4), BatchDraw(0, 0, 1, 4), BatchDraw(0, 0, 0, 4, stream=1)]
    assert all((other.uniform(1) != first).all() for other in others)
    assert (BatchDraw(0, 0, 0, 4).uniform(1) == first).all()


def test_the_numbers_are_those_of_the_augmentations_stream():
    rng = random_generator(AUGMENTATION, seed=3, epoch=1, step=4, stream=2)
    assert (BatchDraw(3, 1, 4, 5, stream=2).uniform(2) == rng.random((5, 2))).all()


def test_wrong_arguments():
    with pytest.raises(ConfigError, match="seed"):
        BatchDraw(-1, 0, 0, 4)
    for start, stop in ((-1, 2), (3, 2), (0, 5)):
        with pytest.raises(ValueError, match="start"):
            BatchDraw(0, 0, 0, 4, start, stop)
