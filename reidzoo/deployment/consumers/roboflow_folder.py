"""The folder with ``reid_config.json`` that Roboflow's ``ReIDModel.from_pretrained`` opens, for plain OSNets."""

from __future__ import annotations

import json
import re
from typing import Any

from safetensors.torch import save

from reidzoo.backbones import OSNet
from reidzoo.deployment.consumers.roboflow import interpolation_of
from reidzoo.heads import AvgPool, LinearHead
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.models import Embedder

__all__ = ["folder_files", "name_in_torchreid"]

WIDTHS = {1.0: "osnet_x1_0", 0.75: "osnet_x0_75", 0.5: "osnet_x0_5", 0.25: "osnet_x0_25"}


def folder_files(model: ReadyModel) -> dict[str, bytes] | None:
    """Return file name -> content of the folder, None for a model that ``reid`` cannot build.

    What it can build is an OSNet of batch norms with the fully connected layer of 512 that the paper has, without the
    mirrored image.
    """
    module: Any = model.module
    if type(module) is not Embedder or type(module.backbone) is not OSNet or type(module.head) is not LinearHead:
        return None
    backbone, head = module.backbone, module.head
    plain = backbone.norm == "bn" and head.fc is not None and head.embedding_dim == 512
    if not plain or backbone.width not in WIDTHS or type(head.pooling) is not AvgPool or model.config.TEST.FLIP:
        return None
    inputs = model.config.INPUT
    preprocessing = {
        "input_size": list(model.size), "mean": list(inputs.MEAN), "std": list(inputs.STD),
        "interpolation": interpolation_of(model), "to_rgb": True, "resize_mode": "stretch", "pad_value": 114,
    }  # fmt: skip
    config = {"architecture": WIDTHS[backbone.width], "preprocessing": preprocessing}
    names = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith("head.classifier.")}
    tensors = {name_in_torchreid(name): tensor.cpu().contiguous() for name, tensor in names.items()}
    return {"reid_config.json": json.dumps(config, indent=2).encode(), "weights.safetensors": save(tensors)}


def name_in_torchreid(name: str) -> str:
    """Return torchreid's name of a parameter of our plain OSNet with a ``LinearHead``, undoing ``map_torchreid``."""
    name = name.removeprefix("backbone.").removeprefix("head.")
    name = re.sub(r"^pool([23])\.0\.", r"conv\1.2.0.", name)
    name = re.sub(r"\.conv2\.0\.layers\.0\.", ".conv2a.", name)
    return re.sub(r"\.conv2\.(\d)\.layers\.", lambda match: f".conv2{'abcd'[int(match[1])]}.", name)
