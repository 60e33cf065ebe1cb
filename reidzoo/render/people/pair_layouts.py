"""Plans the photographs of the twins of VIPeR and CUHK03: datasets of pairs, whose files do not tell the split.

As in ``reidzoo.render.people.layouts``, a larger ``scale`` adds people and leaves those who are there as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from reidzoo.render.people.layouts import Layout, Shot

__all__ = ["PAIR_LAYOUTS", "SPLITS"]

SPLITS = 20
"""Test sets of CUHK03; each has a third of the people."""


def plan_viper(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan VIPeR: everyone once under each of two cameras. A file's name has a random viewpoint, not the pose's."""
    for person in range(train):
        first = int(np.random.default_rng([seed, 21, 6, person]).choice((0, 45, 90)))
        for camera, angle in enumerate((first, first + 90)):
            name = f"cam_{'ab'[camera]}/{person:03d}_{angle}.bmp"
            yield Shot(((name, "labeled"),), person, camera, 0)


def plan_cuhk03_classic(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan CUHK03 as torchreid extracts it: one of three pairs of cameras per person, five images under each."""
    for person in range(train):
        pair = person % 3
        for number in range(10):
            view = number // 5
            name = f"images_labeled/{pair + 1}_{person // 3 + 1:03d}_{view + 1}_{number + 1:02d}.png"
            yield Shot(((name, "labeled"),), person, 2 * pair + view, number)


def cuhk03_lists(shots: list[Shot]) -> dict[str, str]:
    """Return torchreid's file of test sets, as far as it is needed: a test image is both query and gallery there."""
    people = sorted({shot.person for shot in shots})
    splits = []
    for split in range(SPLITS):
        order = np.random.default_rng([22, split]).permutation(len(people)).tolist()
        test = {people[index] for index in order[: max(len(people) // 3, 1)]}
        images = [[shot.files[0][0], shot.person, shot.camera % 2] for shot in shots if shot.person in test]
        splits.append({"query": images, "gallery": images})
    return {"splits_classic_labeled.json": json.dumps(splits) + "\n"}


PAIR_LAYOUTS = {
    "VIPeR": Layout("VIPeR", 160, 0, plan_viper),
    "CUHK03": Layout("cuhk03", 150, 0, plan_cuhk03_classic, cuhk03_lists),
}
