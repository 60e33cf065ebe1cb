"""Random generators that depend on their arguments alone."""

from __future__ import annotations

import operator

import numpy as np

from reidzoo.errors import ConfigError

__all__ = ["AUGMENTATION", "MIXING", "SAMPLING", "TRAINING", "random_generator"]

SAMPLING = 1
AUGMENTATION = 2
TRAINING = 3
MIXING = 4


def random_generator(purpose: int, **numbers: int) -> np.random.Generator:
    """Return the generator of these numbers; the same ones give the same stream in any process and on any machine.

    Args:
        purpose: keeps streams apart that are otherwise seeded alike. It comes first because numpy pads a seed with
            zeros: (seed, epoch) and (seed, epoch, 0) are one stream.
        **numbers: such as ``seed=0, epoch=3``, each in [0, 2**32); for one purpose always equally many.

    Raises:
        ConfigError: a number is out of that range.
    """
    for name, number in numbers.items():
        if not 0 <= operator.index(number) < 2**32:
            raise ConfigError(f"{name} must be in [0, 2**32), got {number}")
    return np.random.default_rng([purpose, *map(operator.index, numbers.values())])
