"""boxmot: crops by OpenCV, normalised with ImageNet's statistics outside of the graph."""

from __future__ import annotations

import json

from reidzoo.deployment.consumers.consumer import IMAGENET_MEAN, IMAGENET_STD, Consumer
from reidzoo.deployment.feed import Feed
from reidzoo.deployment.resizing import Resize, by_opencv
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["Boxmot"]


class Boxmot(Consumer):
    """boxmot's ``ReID`` and the ``reid_weights`` of its trackers.

    Its backends read the size from an ONNX graph, and for the other formats from ``FILE.metadata.json`` beside the
    file, ``manifest.json`` in OpenVINO's folder. A name with ``veri`` or ``vehicleid`` in it would mean 256 x 256
    there; the sidecar is read first. Versions before 16 know neither and always feed 256 x 128: give them
    ``--input-size 256x128``.
    """

    name, read = "boxmot", "25.0.0"
    formats = ("onnx", "torchscript", "openvino")

    def feed(self, model: ReadyModel, size: tuple[int, int]) -> Feed:
        """Return the feed of RGB pixels normalised with ImageNet's mean and standard deviation."""
        return Feed("boxmot", size, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    def resize(self, model: ReadyModel) -> Resize:
        """Return OpenCV's bilinear resizing."""
        return by_opencv

    def companions(self, name: str, file: str, model: ReadyModel, feed: Feed) -> dict[str, str]:
        """Return the sidecar that says the size of the crops."""
        facts = {"schema_version": 1, "model_kwargs_schema_version": 1, "preprocess": "resize"}
        facts |= {"img_size": list(feed.size), "model_kwargs": {"img_size": list(feed.size)}}
        where = f"{file}/manifest.json" if file.endswith("_openvino_model") else f"{file}.metadata.json"
        return {where: json.dumps(facts, indent=2, sort_keys=True) + "\n"}

    def usage(self, name: str, file: str) -> str:
        """Return its command line, and the use of its class."""
        return f'boxmot track --reid {file} --tracker botsort\nor in Python: ReID("{file}")(image, boxes)'
