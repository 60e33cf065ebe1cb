"""Roboflow's ``reid``: a torch module with its preprocessing, or a folder with ``reid_config.json``."""

from __future__ import annotations

from reidzoo.deployment.consumers.consumer import Consumer, module_name
from reidzoo.deployment.feed import Feed
from reidzoo.deployment.resizing import Resize, by_pil
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["Roboflow", "interpolation_of"]

KNOWN = ("bilinear", "bicubic", "nearest")
"""The interpolations that it has."""

MODULE = '''"""Opens {file} beside this module as a ReIDModel of the package reid (pip install reid)."""

from pathlib import Path

import torch
from reid import ReIDModel
from reid.preprocessing import ReIDPreprocessing


def load(device="cpu"):
    """Return the model: ``extract_embeddings(detections, frame)`` gives an embedding per detection."""
    network = torch.jit.load(str(Path(__file__).with_name("{file}")), map_location=device)
    preprocessing = ReIDPreprocessing(
        input_size=({height}, {width}), mean={mean}, std={std}, interpolation="{interpolation}"
    )
    return ReIDModel(network, torch.device(device), preprocessing)
'''


class Roboflow(Consumer):
    """Roboflow's package ``reid``, whose ``ReIDModel`` takes any torch module and its preprocessing.

    The file is TorchScript; a module beside it opens it with the model's own size, statistics and interpolation, all of
    which ``ReIDPreprocessing`` has. A plain OSNet, which ``reid`` can build, is also written as the folder that
    ``ReIDModel.from_pretrained`` takes.
    """

    name, read = "roboflow", "reid 0.1.0rc1"
    formats = ("torchscript",)

    def feed(self, model: ReadyModel, size: tuple[int, int]) -> Feed:
        """Return the feed of RGB pixels normalised with the model's own statistics."""
        inputs = model.config.INPUT
        return Feed("roboflow", size, mean=tuple(inputs.MEAN), std=tuple(inputs.STD))

    def resize(self, model: ReadyModel) -> Resize:
        """Return PIL's resizing."""
        return by_pil(interpolation_of(model))

    def companions(self, name: str, file: str, model: ReadyModel, feed: Feed) -> dict[str, str]:
        """Return the module that opens the file."""
        height, width = feed.size
        text = MODULE.format(
            file=file, height=height, width=width, mean=feed.mean, std=feed.std, interpolation=interpolation_of(model)
        )
        return {f"{module_name(name, 'reid')}.py": text}

    def usage(self, name: str, file: str) -> str:
        """Return code that opens the file and embeds detections."""
        module = module_name(name, "reid")
        return f"from {module} import load\nembeddings = load().extract_embeddings(detections, frame)"


def interpolation_of(model: ReadyModel) -> str:
    """Return the interpolation that ``reid`` is told: the model's own where it has that one."""
    own = model.interpolation
    return own if own in KNOWN else "bilinear"
