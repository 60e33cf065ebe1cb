"""norfair: takes embeddings, not models; a module beside the file computes them."""

from __future__ import annotations

from reidzoo.deployment.consumers.consumer import Consumer, module_name
from reidzoo.deployment.feed import Feed
from reidzoo.deployment.resizing import Resize, by_pil
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["Norfair"]

MODULE = '''"""Embeds the boxes of a frame for norfair by {file}, beside this module; needs onnxruntime and pillow."""

from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

SIZE = ({width}, {height})
_session = onnxruntime.InferenceSession(str(Path(__file__).with_name("{file}")), providers=["CPUExecutionProvider"])


def embed(frame, boxes):
    """Return the embeddings (N, {dim}), of norm 1, of boxes (N, 4), x1 y1 x2 y2, in a frame (H, W, 3) of BGR bytes."""
    if len(boxes) == 0:
        return np.empty((0, {dim}), np.float32)
    image, crops = Image.fromarray(np.ascontiguousarray(frame[..., ::-1])), []
    for x1, y1, x2, y2 in np.asarray(boxes, float).round().astype(int):
        x1, y1 = min(max(x1, 0), image.width - 1), min(max(y1, 0), image.height - 1)
        crop = image.crop((x1, y1, max(min(x2, image.width), x1 + 1), max(min(y2, image.height), y1 + 1)))
        crops.append(np.asarray(crop.resize(SIZE, Image.Resampling.{method})).transpose(2, 0, 1))
    return _session.run(["embeddings"], {{"images": np.stack(crops)}})[0]


def appearance_distance(new, lost):
    """Return 1 - cosine of the last detections of two tracked objects: norfair's ``reid_distance_function``."""
    first, second = new.last_detection.embedding, lost.last_detection.embedding
    return 2.0 if first is None or second is None else float(1 - first @ second)
'''


class Norfair(Consumer):
    """norfair's ``Detection(points, embedding=...)`` and ``Tracker(reid_distance_function=...)``.

    norfair has no crops and no models; the file takes bytes, and the module written beside it cuts and resizes as this
    package does, so that nothing is lost.
    """

    name, read = "norfair", "2.3.0"
    formats = ("onnx",)

    def feed(self, model: ReadyModel, size: tuple[int, int]) -> Feed:
        """Return the feed of RGB bytes."""
        return Feed.uint8(size)

    def resize(self, model: ReadyModel) -> Resize:
        """Return the resizing that the model's test images have."""
        return by_pil(model.interpolation)

    def companions(self, name: str, file: str, model: ReadyModel, feed: Feed) -> dict[str, str]:
        """Return the module that embeds boxes."""
        height, width = feed.size
        method = model.interpolation.upper()
        text = MODULE.format(file=file, height=height, width=width, dim=model.embedding_dim, method=method)
        return {f"{module_name(name, 'norfair')}.py": text}

    def usage(self, name: str, file: str) -> str:
        """Return code for a tracker that uses appearance."""
        module = module_name(name, "norfair")
        return (
            f"from {module} import appearance_distance, embed\n"
            "tracker = Tracker(distance_function='iou', distance_threshold=0.7, reid_distance_threshold=0.3,\n"
            "                  reid_distance_function=appearance_distance, reid_hit_counter_max=60)\n"
            "pairs = zip(boxes, embed(frame, boxes))\n"
            "tracker.update([Detection(box.reshape(2, 2), embedding=row) for box, row in pairs])"
        )
