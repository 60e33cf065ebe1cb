"""Small dataset trees; readers look at names only, so the images are empty files."""

from __future__ import annotations

from pathlib import Path

import pytest

MARKET = {
    "bounding_box_train": ["0002_c1s1_000451_03.jpg", "0002_c2s1_000776_01.jpg", "0007_c3s3_077419_03.jpg"],
    "query": ["0001_c1s1_001051_00.jpg"],
    "bounding_box_test": ["-1_c1s1_000401_03.jpg", "0000_c6s1_000151_01.jpg", "0001_c2s1_001051_00.jpg"],
}
MSMT_LISTS = {
    "list_train.txt": ["0000/0000_000_01_0303morning_0015_0.jpg 0", "0001/0001_001_15_0113noon_0008_1.jpg 1"],
    "list_val.txt": ["0001/0001_002_02_0302afternoon_0008_1.jpg 1"],
    "list_query.txt": ["0000/0000_000_03_0303morning_0008_0.jpg 0"],
    "list_gallery.txt": ["0000/0000_001_04_0303noon_0008_0.jpg 0", "0001/0001_001_05_0303noon_0008_0.jpg 1"],
}


@pytest.fixture
def touch():
    """Make empty files: touch(folder, names)."""

    def make(folder: Path, names: list[str]) -> Path:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        return folder

    return make


@pytest.fixture
def market(touch):
    """Lay out a tiny dataset in Market-1501's layout: market(folder, files={part: names})."""

    def make(folder: Path, files: dict[str, list[str]] = MARKET) -> Path:
        for part, names in files.items():
            touch(folder / part, names)
        return folder

    return make


@pytest.fixture
def msmt17(touch):
    """Lay out a tiny MSMT17: msmt17(folder, train="train", test="test")."""

    def make(folder: Path, train: str = "train", test: str = "test") -> Path:
        for name, lines in MSMT_LISTS.items():
            images = folder / (train if name in ("list_train.txt", "list_val.txt") else test)
            touch(images, [line.split()[0] for line in lines])
            (folder / name).write_text("\n".join(lines) + "\n")
        return folder

    return make
