from __future__ import annotations

import pytest

from reidzoo.errors import ConfigError
from reidzoo.random_streams import AUGMENTATION, SAMPLING, random_generator

pytestmark = pytest.mark.slow


def test_the_same_numbers_give_the_same_stream():
    first, second = (random_generator(SAMPLING, seed=3, epoch=1).random(5) for _ in range(2))
    assert (first == second).all()


def test_purposes_and_numbers_give_other_streams():
    streams = [
        random_generator(SAMPLING, seed=3, epoch=1),
        random_generator(SAMPLING, seed=1, epoch=3),
        random_generator(AUGMENTATION, seed=3, epoch=1, step=0),
        random_generator(AUGMENTATION, seed=3, epoch=1, step=1),
    ]
    assert len({generator.random() for generator in streams}) == 4


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range(seed):
    with pytest.raises(ConfigError, match="seed must be"):
        random_generator(SAMPLING, seed=seed)


def test_seed_must_be_whole():
    with pytest.raises(TypeError):
        random_generator(SAMPLING, seed=0.5)
