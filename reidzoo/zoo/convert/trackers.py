"""The families of trackers' re-identification models: boxmot's files, and the folders of Roboflow's ``reid``."""

from __future__ import annotations

import dataclasses

from reidzoo.zoo.convert.reid_folder import read_reid_folder
from reidzoo.zoo.convert.torchreid import TORCHREID

__all__ = ["BOXMOT", "REID"]

BOXMOT = dataclasses.replace(
    TORCHREID,
    name="boxmot",
    title="boxmot: its OSNets (also IBN and AIN) and ResNet-50s, .pt; they have torchreid's names",
    repository="https://github.com/mikel-brostrom/boxmot",
    licence="not stated in the file (boxmot's own code is AGPL-3.0, the OSNets it offers are torchreid's, MIT)",
)
REID = dataclasses.replace(
    TORCHREID,
    name="reid",
    title="Roboflow's reid: a folder with reid_config.json and weights.safetensors, or the weights alone; OSNets",
    repository="https://github.com/roboflow/re-ID",
    licence="not stated in the folder (the package's code is Apache-2.0)",
    open=read_reid_folder,
)
