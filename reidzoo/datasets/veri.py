"""The reader of VeRi-776."""

from __future__ import annotations

import logging
import os
import re
import xml.etree.ElementTree as ElementTree

from reidzoo.datasets.base import Dataset, examples, image_names
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["VeRi776"]

PARTS = {"train": "train", "query": "query", "gallery": "test"}
DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")

logger = logging.getLogger("reidzoo")


@DATASET.register_module()
class VeRi776(Dataset):
    """VeRi-776 (Liu et al., ECCV 2016 and IEEE TMM 2018): 776 vehicles under 20 cameras of one square kilometre.

    Files in ``image_train``, ``image_query`` and ``image_test`` are named ``0001_c001_00016450_0.jpg``: identity,
    camera, time and number. The folders say what belongs to a split; ``name_train.txt``, ``name_query.txt`` and
    ``name_test.txt``, where they are there, are compared with them, and a listed image that is absent is warned of. The
    test is Market-1501's: gallery images of the query's identity *and* camera do not count, which is what the
    release's ``gt_index.txt`` and ``jk_index.txt`` say, so these are not read.

    The time in the names counts a recording's frames, so the time of day (``timeid``) is not known from it; nor is the
    viewpoint (``viewid``), which the release does not label.

    Args:
        root: the folder that holds the datasets.
        folder: the dataset's folder, where it has an unusual name.
    """

    name = "VeRi776"
    homepage = "https://github.com/JDAI-CV/VeRidataset (by request to its authors)"
    twin = True
    folders = (
        "VeRi", "VeRi-776", "VeRi776", "VeRi_776", "veri", "veri776", "veri-776", "veri/VeRi", "veri776/VeRi",
        "VeRi_with_plate",
    )  # fmt: skip
    required = tuple(f"image_{part}" for part in PARTS.values())
    published = {"train": (576, 37778), "query": (200, 1678), "gallery": (200, 11579)}
    pattern = re.compile(r"(\d+)_c(\d+)_(\d+)_(\d+)")

    def scan(self, split: str) -> list[Record]:
        """Read one split; cameras are counted from 0 where the file names count from 1."""
        matches = self.matched_images(self.part(f"image_{PARTS[split]}"), self.pattern)
        self._compare_with_list(split)
        return [Record(path, int(match[1]), int(match[2]) - 1) for path, match in matches]

    def attributes(self) -> dict[int, dict[str, int]]:
        """Return pid -> ``{"color": 1 to 10, "type": 1 to 9}`` from ``train_label.xml`` and ``test_label.xml``.

        ``list_color.txt`` and ``list_type.txt`` of the release say what the numbers mean: yellow, orange, green, gray,
        red, blue, white, golden, brown, black; sedan, suv, van, hatchback, mpv, pickup, bus, truck, estate. Both files
        are optional, and so is each attribute: what is not labelled is not in the answer.

        Raises:
            DatasetError: a file is not XML, or lacks a vehicle's identity.
        """
        labels_of: dict[int, dict[str, int]] = {}
        for name in ("train_label.xml", "test_label.xml"):
            path = os.path.join(self.folder, name)
            if os.path.isfile(path):
                for pid, labels in _read_labels(path):
                    labels_of.setdefault(pid, {}).update(labels)
        return labels_of

    def _compare_with_list(self, split: str) -> None:
        path = os.path.join(self.folder, f"name_{PARTS[split]}.txt")
        if not os.path.isfile(path):
            return
        images = f"image_{PARTS[split]}"
        with open(path, encoding="utf-8") as lines:
            listed = [line.strip() for line in lines if line.strip()]
        present = set(image_names(self.part(images)))
        absent = [name for name in listed if name not in present]
        if absent:
            logger.warning(
                "%s: %s names %s images that are not in %s: %s. Was the archive unpacked completely?",
                *(self.name, path, f"{len(absent):,}", images, examples(absent)),
            )


def _read_labels(path: str) -> list[tuple[int, dict[str, int]]]:
    # The files declare gb2312, which Python's parser refuses as every encoding of several bytes: decode it before.
    with open(path, "rb") as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", errors="replace")
    try:
        items = list(ElementTree.fromstring(DECLARATION.sub("", text)).iter("Item"))
        pids = [int(item.attrib["vehicleID"]) for item in items]
        labels = [
            {key: int(item.attrib[f"{key}ID"]) for key in ("color", "type") if f"{key}ID" in item.attrib}
            for item in items
        ]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise DatasetError(
            f'{path}: expected <Item imageName="..." vehicleID="0001" cameraID="c001" colorID="1" typeID="1"/> for '
            f"every image: {type(error).__name__}: {error}. Unpack the file again, or remove it: it is optional."
        ) from None
    return list(zip(pids, labels))
