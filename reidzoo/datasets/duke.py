"""The reader of DukeMTMC-reID."""

from __future__ import annotations

from reidzoo.datasets.market_layout import MarketLayout
from reidzoo.registry import DATASET

__all__ = ["DukeMTMC"]


@DATASET.register_module()
class DukeMTMC(MarketLayout):
    """DukeMTMC-reID (Ristani et al., ECCVW 2016; Zheng et al., ICCV 2017): 8 cameras, hand-drawn boxes.

    Files are named ``0001_c2_f0046182.jpg``: identity, camera, frame. The gallery holds the 702 test identities and
    408 more as distractors, each under its own pid. Its authors withdrew the dataset in 2019; this reader is for the
    copies that exist and for the rendered twin.

    Args:
        root: the folder that holds the datasets.
        folder: the dataset's folder, where it has an unusual name.
    """

    name = "DukeMTMC"
    homepage = (
        "an existing copy: its authors have withdrawn it and nobody distributes it officially "
        "(described at https://github.com/sxzrt/DukeMTMC-reID_evaluation)"
    )
    twin = True
    folders = (
        "DukeMTMC-reID", "DukeMTMC", "dukemtmc-reid/DukeMTMC-reID", "dukemtmcreid/DukeMTMC-reID",
        "dukemtmc/DukeMTMC-reID", "dukemtmc-reid", "dukemtmcreid", "dukemtmc", "duke",
    )  # fmt: skip
    published = {"train": (702, 16522), "query": (702, 2228), "gallery": (1110, 17661)}
