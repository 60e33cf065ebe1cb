"""The reader of MSMT17 as ECN's authors renamed it."""

from __future__ import annotations

from reidzoo.datasets.market_layout import MarketLayout
from reidzoo.registry import DATASET

__all__ = ["MSMT17Renamed"]


@DATASET.register_module()
class MSMT17Renamed(MarketLayout):
    """MSMT17 in Market-1501's folders and names, ``<pid>_c<camera>...``, as ECN's authors distribute it.

    Their style images (``bounding_box_train_camstyle``, ``<stem>_fake_<c'>.jpg``) are called after these names, which
    the original ones, ``0000_000_01_0303morning_0015_0.jpg``, cannot be matched with: train on this copy to use them.
    Nobody here has opened the archive; it is read as the authors' loader reads it, by ``<number>_c<number>``. These
    names do not tell the time of day.

    Args:
        root: the folder that holds the datasets.
        folder: the dataset's folder, where it has an unusual name.
    """

    name = "MSMT17"
    homepage = "https://github.com/zhunzhong07/ECN (the links to MSMT17 and its style images)"
    twin = False  # render draws the layout of MSMT17 alone
    folders = ("msmt17/ECN", "MSMT17_ECN", "msmt17_ecn", "ECN/data/msmt17", "msmt17")
    published = {"train": (1041, 32621), "query": (3060, 11659), "gallery": (3060, 82161)}
