"""The reader of RandPerson's subset."""

from __future__ import annotations

import os
import re

from reidzoo.checks import check, one_of
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.record import Record
from reidzoo.registry import DATASET

__all__ = ["RandPerson"]


@DATASET.register_module()
class RandPerson(Dataset):
    """The subset of RandPerson (Wang et al., ACM MM 2020) that papers train on: 8,000 rendered people, training only.

    Files are named ``000000_s00_c00_f000264.jpg``: identity, scene, camera, frame. The third field counts cameras
    from 0 again in each of the 11 scenes; DomainMix takes it for the camera as it stands.

    Args:
        root: the folder that holds the datasets.
        folder: the folder of the images, where it has an unusual name.
        cameras: ``"field"``: the camera is the third field (as DomainMix has it); ``"scene"``: every camera of every
            scene is a camera of its own.

    Raises:
        ConfigError: ``cameras`` is neither.
    """

    name = "RandPerson"
    homepage = "https://github.com/VideoObjectSearch/RandPerson (the subset of 132,145 images)"
    twin = True
    folders = (
        "RandPerson/subset/randperson_subset", "RandPerson/randperson_subset", "randperson_subset/randperson_subset",
        "randperson_subset", "randperson/images/subset/randperson_subset", "randperson/subset/randperson_subset",
        "randperson/randperson_subset", "RandPerson/subset", "RandPerson",
    )  # fmt: skip
    published = {"train": (8000, 132145)}
    pattern = re.compile(r"(\d+)_s(\d+)_c(\d+)_f\d+")

    def __init__(self, root: str | os.PathLike[str], folder: str | None = None, cameras: str = "field") -> None:
        check(self, one_of("field", "scene"), cameras=cameras)
        super().__init__(root, folder)
        self.cameras = cameras

    def scan(self, split: str) -> list[Record]:
        """Read the training images; query and gallery are empty."""
        if split != "train":
            return []
        matches = self.matched_images(self.folder, self.pattern)
        if self.cameras == "field":
            return [Record(path, int(match[1]), int(match[3])) for path, match in matches]
        cameras = [(int(match[2]), int(match[3])) for _, match in matches]
        number = {camera: i for i, camera in enumerate(sorted(set(cameras)))}
        return [Record(path, int(match[1]), number[camera]) for (path, match), camera in zip(matches, cameras)]
