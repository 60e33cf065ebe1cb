"""The reader of Market-1501."""

from __future__ import annotations

import os

from reidzoo.checks import FLAG, check
from reidzoo.datasets.market_layout import MarketLayout
from reidzoo.registry import DATASET

__all__ = ["Market1501"]


@DATASET.register_module()
class Market1501(MarketLayout):
    """Market-1501 (Zheng et al., ICCV 2015): 1,501 pedestrians under 6 cameras, boxes from a DPM detector.

    Files are named ``0002_c1s1_000451_03.jpg``: identity, camera and sequence, frame, box.

    The gallery folder holds 19,732 images. Its 3,819 junk images (pid -1: bad boxes, neither right nor wrong as an
    answer) are dropped, as everyone does; the 15,913 that remain include the distractors (pid 0: answers that are
    always wrong), which stay and count as one of the 751 pids.

    Args:
        root: the folder that holds the datasets.
        folder: the dataset's folder, where it has an unusual name.
        keep_junk: keep the junk images in the gallery; the protocols ignore them in the ranking.
    """

    name = "Market1501"
    homepage = "https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html"
    twin = True
    folders = (
        "Market-1501-v15.09.15", "Market-1501", "market1501/Market-1501-v15.09.15", "market1501", "Market1501",
    )  # fmt: skip
    published = {"train": (751, 12936), "query": (750, 3368), "gallery": (751, 15913)}

    def __init__(self, root: str | os.PathLike[str], folder: str | None = None, keep_junk: bool = False) -> None:
        check(self, FLAG, keep_junk=keep_junk)
        super().__init__(root, folder)
        self.keep_junk = keep_junk
