"""The reader of CUHK03 under its new protocol."""

from __future__ import annotations

import os

from reidzoo.checks import check, one_of
from reidzoo.datasets.market_layout import MarketLayout
from reidzoo.registry import DATASET

__all__ = ["CUHK03NP"]

COUNTS = {
    "detected": {"train": (767, 7365), "query": (700, 1400), "gallery": (700, 5332)},
    "labeled": {"train": (767, 7368), "query": (700, 1400), "gallery": (700, 5328)},
}


@DATASET.register_module()
class CUHK03NP(MarketLayout):
    """CUHK03 (Li et al., CVPR 2014) with the new protocol of Zhong et al. (CVPR 2017): 767 / 700 identities.

    Files are named ``0001_c1_1.png`` (or ``.jpg``): identity, camera, image. The paper has three pairs of cameras, but
    each person is seen by one pair only and the names tell just its two sides, c1 and c2; so do the records.

    Args:
        root: the folder that holds the datasets.
        split: ``"detected"``, boxes from a DPM detector, or ``"labeled"``, boxes drawn by hand.
        folder: the dataset's folder, where it has an unusual name; it holds ``detected`` and ``labeled``.

    Raises:
        ConfigError: ``split`` is neither.
    """

    name = "CUHK03NP"
    homepage = "https://github.com/zhunzhong07/person-re-ranking/tree/master/CUHK03-NP"
    twin = True
    folders = ("cuhk03-np", "CUHK03-NP", "cuhk03_np", "CUHK03_NP", "cuhk03np", "CUHK03NP")

    def __init__(self, root: str | os.PathLike[str], split: str = "detected", folder: str | None = None) -> None:
        check(self, one_of("detected", "labeled"), split=split)
        # The two variants can stand side by side in one table of results.
        self.name = "CUHK03NP" if split == "detected" else "CUHK03NP-labeled"
        self.parts = {part: f"{split}/{path}" for part, path in MarketLayout.parts.items()}
        self.required = tuple(self.parts.values())
        self.published = COUNTS[split]
        super().__init__(root, folder)
